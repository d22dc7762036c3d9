import { simulateScan } from '../../simulate/simulate-scan.js';
import type { ScanOrder, ScanWay } from '../../simulate/ways.js';
import { type Command, GENERAL } from '../command.js';

/** Lets a lab try its watched folder without a scanner, faults included. */
export const simulate: Command = {
  usage: 'simulate-scan <slide> <dir>',
  summary: 'play a slide into a folder as a scanner would',
  notes: `The slide's own compressed tiles are written, finest level first; label and macro images are left out. Interrupting
leaves the folder as a scanner that lost power does.`,
  options: [
    'as',
    'order',
    'rate',
    'stall',
    'drop',
    'corrupt',
    'duplicate',
    'preallocate',
    'late-manifest',
    'part-tiles',
    'sparse',
    'seed',
    'mpp',
    ...GENERAL,
  ],
  async run({ args, config, terminal, signal }) {
    const [slide, folder] = args as readonly [string, string];
    let written = 0;
    try {
      const scan = await simulateScan(slide, folder, {
        as: config.as as ScanWay,
        order: config.order as ScanOrder,
        rate: config.rate,
        stall: config.stall,
        drop: config.drop,
        corrupt: config.corrupt,
        duplicate: config.duplicate,
        preallocate: config.preallocate,
        lateManifest: config['late-manifest'],
        partTiles: config['part-tiles'],
        sparse: config.sparse,
        seed: config.seed,
        mpp: config.mpp,
        signal,
        onTile: () => terminal.status(`${++written} tiles written`),
      });
      const faults = (['dropped', 'corrupted', 'duplicated'] as const)
        .filter(kind => scan[kind].length > 0)
        .map(kind => `, ${scan[kind].length} ${kind}`);
      terminal.line(`${scan.path}: ${scan.tiles} tiles${faults.join('')}`);
      terminal.json(scan);
      return 0;
    } catch (error) {
      if (!signal.aborted) throw error;
      terminal.line(`stopped after ${written} tiles`);
      return 130;
    }
  },
};
