import { access } from 'node:fs/promises';
import { from } from 'rxjs';
import { segmentSlides } from '../../../pipelines/segment.js';
import { StromaflowError } from '../../errors.js';
import { openSlide, slideId } from '../../slide/open.js';
import { type Command, GRAPH } from '../command.js';
import { runGraph } from '../run-graph.js';

export const segment: Command = {
  usage: 'segment <slide...>',
  summary: 'segment whole slides now',
  notes: `Results go to <out>/<slide>/: mask.ome.zarr, mask.geojson, overview.png, patches.jsonl, summary.json. A slide that
was finished before is not done again unless --fresh is given; one that was interrupted goes on where it stopped.`,
  options: GRAPH,
  async run(context) {
    const { args, config } = context;
    if (args.length === 1) await checkExists(args[0]!);
    return runGraph(context, (parts, signal) => {
      const tasks = args.map(path => ({
        path,
        id: slideId(path),
        open: () => openSlide(path, { mpp: config.mpp, signal }),
      }));
      return segmentSlides(from(tasks), parts, signal);
    });
  },
};

/** Before a model is loaded for nothing. */
async function checkExists(path: string): Promise<void> {
  await access(path).catch(cause => {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file`, { cause });
  });
}
