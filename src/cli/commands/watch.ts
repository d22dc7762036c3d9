import { stat } from 'node:fs/promises';
import { segmentLive, watchedFolder } from '../../../pipelines/live.js';
import type { Parts } from '../../../pipelines/parts.js';
import { StromaflowError } from '../../errors.js';
import { type Command, FIT, GRAPH, INGEST, TRUTH, WATCHING } from '../command.js';
import { sayPresence } from '../folder-log.js';
import { runGraph } from '../run-graph.js';
import { slideLabels } from '../slide-labels.js';
import { timed } from '../terminal.js';

/** Where Prometheus looks for it unless told otherwise. */
export const WATCH_PORT = 9464;

export const watch: Command = {
  usage: 'watch <folder>',
  summary: 'segment slides live as a scanner writes them into a folder',
  notes: `Runs until interrupted; a slide that fails is reported and the others go on. Temporary names are ignored until
they are renamed; slides that can be read while they grow are segmented while they grow (docs/scanners.md). /livez, /readyz, /status and /metrics are served on --host and --port. With labels
(--labels, or --positive and labels beside the slides) the aggregates have a running IoU.`,
  options: [...GRAPH, ...INGEST, ...FIT, ...WATCHING, ...TRUTH],
  async run(context) {
    const folder = context.args[0]!;
    const facts = await stat(folder).catch(() => undefined);
    if (!facts?.isDirectory()) throw new StromaflowError('FILE_NOT_FOUND', `${folder}: no such folder`);
    const terminal = timed(context.terminal);
    const config = { ...context.config, port: context.config.port ?? WATCH_PORT };
    terminal.line(`watching ${folder}`);
    const labels = await slideLabels(config, terminal);
    const watched = watchedFolder(folder, config, change => sayPresence(change, terminal));
    const graph = (parts: Parts, signal: AbortSignal) => segmentLive(watched, parts, signal, { say: terminal.problem });
    return runGraph({ ...context, config, terminal }, graph, {
      ...labels,
      followsModel: true,
      log: true,
      folder: watched,
      root: watched.root,
    });
  },
};
