import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { take } from 'rxjs';
import { segmentLive } from '../../../pipelines/live.js';
import { arriveByRename } from '../../watch/arrive-by-rename.js';
import { type Command, GRAPH, WATCHING } from '../command.js';
import { findProgram, startNatsServer } from '../nats-server.js';
import { runGraph } from '../run-graph.js';

/** CC0, from OpenSlide's test data. */
export const DEMO_SLIDE = fileURLToPath(new URL('../../../../test/fixtures/CMU-1-Small-Region.svs', import.meta.url));

/** FPN's group normalisation makes a patch's mask depend on the whole patch; context hides most of the seams. */
const DEMO_MARGIN = 128;

/** Its folder is another one each time, and its slide the same. */
const DEMO_PLACE = '/demo';

/** Long enough to see that nothing starts before the slide is whole. */
const ARRIVAL_SECONDS = 2;

export const demo: Command = {
  usage: 'demo',
  summary: 'watch an empty folder, let a real slide arrive there as a scanner writes it, and segment it live',
  notes: `Needs nothing else: the slide and the starter model are in the package. With nats-server on the PATH it starts one
on a free port and publishes to it; without it the events stay in this process.`,
  options: [...GRAPH, ...WATCHING],
  async run(context) {
    const { terminal, config } = context;
    const folder = await mkdtemp(join(tmpdir(), 'stromaflow-demo-'));
    const program = config.nats === undefined ? findProgram('nats-server') : undefined;
    const server = program ? await startNatsServer(program) : undefined;
    const nats = config.nats ?? server?.url;
    const margin = context.loaded.settings.margin.origin === 'default' ? DEMO_MARGIN : config.margin;
    terminal.line(
      nats
        ? `events     ${nats}${server ? ' (started for this demo)' : ''}`
        : 'events     in this process only: nats-server is not on the PATH',
    );
    terminal.line(`scanner    writes into ${folder}`);
    try {
      return await runGraph(
        { ...context, config: { ...config, nats, margin, fresh: true } },
        (parts, signal) => {
          const results = segmentLive(folder, parts, signal, { place: DEMO_PLACE }).pipe(take(1));
          void arriveByRename(DEMO_SLIDE, folder, { seconds: ARRIVAL_SECONDS, signal }).catch(() => undefined);
          return results;
        },
        { printEvents: true },
      );
    } finally {
      await server?.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};
