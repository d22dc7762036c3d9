import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { segmentSlides } from '../../../pipelines/segment.js';
import { slideTasks } from '../../../pipelines/slide-tasks.js';
import { StromaflowError } from '../../errors.js';
import { fileAt } from '../../slide/open.js';
import { isAddress, parseAddress, withoutSecrets } from '../../slide/remote/address.js';
import { type Command, FIT, GRAPH, INGEST, TRUTH } from '../command.js';
import { runGraph } from '../run-graph.js';
import { slideLabels } from '../slide-labels.js';
import type { Terminal } from '../terminal.js';

export const segment: Command = {
  usage: 'segment <slide...>',
  summary: 'segment whole slides now',
  notes: `A slide is a file, or a folder: of DICOM instances, or of tiles with what describes them (manifest.json, .dzi,
ImageProperties.xml, coordinates.csv, NDTiff.index). Of an OME-TIFF with several scenes each is a slide; slide.ome.tif#2 is the second alone. A TIFF (SVS, OME-TIFF …) may lie at an address, http:// or https://,
also a presigned one, and is read by ranges. Results go to <out>/<slide>/: mask.ome.zarr, mask.geojson, overview.png, patches.jsonl, summary.json. A slide that
was finished before is not done again unless --fresh is given; one that was interrupted goes on where it stopped. With
labels (--labels, or --positive and labels beside the slides) the aggregates have a running IoU.`,
  options: [...GRAPH, ...INGEST, 'http-timeout', ...FIT, ...TRUTH],
  takesAddresses: true,
  async run(context) {
    const { config } = context;
    // Workers have another working directory.
    const args =
      config.role === 'ingest' ? context.args.map(path => (isAddress(path) ? path : resolve(path))) : context.args;
    if (args.length === 1 && !isAddress(args[0]!)) await checkExists(args[0]!);
    if (config.role === 'ingest') tellOfSecrets(context.args, context.terminal);
    const labels = await slideLabels(
      config,
      context.terminal,
      args.length === 1 ? withoutSecrets(args[0]!) : undefined,
    );
    const say = context.terminal.problem;
    const graph: Parameters<typeof runGraph>[1] = (parts, signal) =>
      segmentSlides(slideTasks(args, parts, say), parts, signal);
    return runGraph(context, graph, labels);
  },
};

/** Signatures and passwords stay here: what workers are told stands in a stream. */
function tellOfSecrets(args: readonly string[], { problem }: Pick<Terminal, 'problem'>): void {
  for (const address of args.filter(isAddress).filter(arg => parseAddress(arg).hasSecret))
    problem(
      `${withoutSecrets(address)}: workers are not told its signature or password: give them an address of their own with --source`,
    );
}

/** Before a model is loaded for nothing. */
async function checkExists(path: string): Promise<void> {
  await access(fileAt(path)).catch(cause => {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file`, { cause });
  });
}
