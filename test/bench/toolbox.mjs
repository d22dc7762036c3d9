import { fileURLToPath } from 'node:url';
import { openSlide } from '#src/slide/open.js';
import { quantised, unfrozen } from './quantised.mjs';
import { median, withFolder } from './support.mjs';
import { startTurns } from './turns.mjs';

const here = name => fileURLToPath(new URL(name, import.meta.url));
const PATCH = 512;

/**
 * A whole slide by ours and by TIAToolbox (TOOLBOX=<python with tiatoolbox and segmentation_models_pytorch>), the same weights on the same patches: from
 * an opened model to finished outputs, in turn, each in a process of its own that waits while the others compute. Ours in float32 and in int8.
 */
export async function benchToolbox({ slide, model, batch = 4, threads = 2, rounds = 5, say }) {
  const python = process.env['TOOLBOX'];
  if (!python)
    throw new Error('name a Python with tiatoolbox: TOOLBOX=<python> npm run bench -- toolbox (docs/performance.md)');
  return withFolder(async folder => {
    const { info } = await openSlide(slide);
    const int8 = await quantised(await unfrozen(model, folder), folder, threads);
    const given = [PATCH, batch, threads, info.mpp];
    const sides = {
      ours: await ready(process.execPath, [here('toolbox-child.mjs'), slide, model, batch, threads]),
      int8: await ready(process.execPath, [here('toolbox-child.mjs'), slide, int8, batch, threads]),
      toolbox: await ready(python, [here('toolbox.py'), slide, model, ...given]),
    };
    try {
      // The first run makes everything ready, and is not counted.
      for (const side of Object.values(sides)) await side.turn();
      const rows = [];
      for (let round = 1; round <= rounds; round++) {
        const row = {};
        for (const [name, side] of Object.entries(sides)) row[name] = await side.turn();
        rows.push(row);
        const shown = ([name, { seconds, processor }]) =>
          `${name} ${seconds.toFixed(1)} s (processor ${processor.toFixed(1)} s)`;
        say(`round ${round}: ${Object.entries(row).map(shown).join(', ')}`);
      }
      const result = { version: sides.toolbox.version, torch: sides.toolbox.torch };
      for (const name of Object.keys(sides)) {
        const of = what => median(rows.map(row => row[name][what]));
        const peakMiB = Math.round(Math.max(...rows.map(row => row[name].peak)) / 2 ** 20);
        result[name] = { seconds: round2(of('seconds')), processor: round2(of('processor')), peakMiB };
        if (name === 'toolbox') continue;
        // Pixels of stroma, ours against theirs.
        result[name].stroma = round4(of('stroma') / rows[0].toolbox.stroma);
        result[name].ratio = round2(median(rows.map(row => row.toolbox.seconds / row[name].seconds)));
        result[name].processorRatio = round2(median(rows.map(row => row.toolbox.processor / row[name].processor)));
      }
      return result;
    } finally {
      for (const side of Object.values(sides)) side.close();
    }
  });
}

/** A process whose model is ready. */
async function ready(program, args) {
  const turns = startTurns(program, args);
  return { ...turns, ...(await turns.next()) };
}

const round2 = value => Math.round(value * 100) / 100;
const round4 = value => Math.round(value * 10_000) / 10_000;
