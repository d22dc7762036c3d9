import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from './support.mjs';
import { startTurns } from './turns.mjs';

const here = name => fileURLToPath(new URL(name, import.meta.url));

const BINDING = '../../node_modules/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node';

/**
 * Training steps of FPN/ResNet34 here and in PyTorch eager (TORCH=<python with torch and segmentation_models_pytorch>), in turn, each
 * in a process of its own that waits while the other one computes; where tfjs-node's binding is built (docs/engines.md), the same program on it
 * too. By the clock; the processor's time, which a busy machine
 * disturbs less, beside it.
 */
export async function benchTrain({ side = 512, batch = 4, threads = 2, rounds = 3, say }) {
  const python = process.env['TORCH'];
  if (!python)
    throw new Error('name a Python with torch and segmentation_models_pytorch: TORCH=<python> npm run bench -- train');
  const given = [side, batch, threads].map(String);
  const ours = startTurns(process.execPath, [here('train-child.mjs'), ...given]);
  const torch = startTurns(python, [here('train-torch.py'), ...given]);
  const tfjs =
    existsSync(here(BINDING)) &&
    startTurns(process.execPath, [here('train-child.mjs'), ...given, 'tfjs-node'], {
      TF_NUM_INTRAOP_THREADS: String(threads),
      TF_NUM_INTEROP_THREADS: '1',
      OMP_NUM_THREADS: String(threads),
    });
  try {
    // The first step makes the model ready, and is not counted.
    await ours.turn();
    await torch.turn();
    if (tfjs) await tfjs.turn();
    const rows = [];
    for (let round = 0; round < rounds; round++) {
      const row = { ours: await ours.turn(), torch: await torch.turn(), ...(tfjs && { tfjs: await tfjs.turn() }) };
      rows.push(row);
      const shown = ({ seconds, processor }) => `${seconds.toFixed(2)} s (processor ${processor.toFixed(2)} s)`;
      const other = row.tfjs ? `, tfjs-node ${shown(row.tfjs)}` : '';
      say(`round ${round + 1}: ${shown(row.ours)}, PyTorch ${shown(row.torch)}${other}`);
    }
    const middle = (who, what) => median(rows.map(row => row[who][what]));
    const peak = who => Math.max(...rows.map(row => row[who].peak));
    const round = value => Number(value.toPrecision(4));
    return {
      imagesPerSecond: round(batch / middle('ours', 'seconds')),
      ratioToTorch: round(middle('torch', 'seconds') / middle('ours', 'seconds')),
      peakToTorch: round(peak('ours') / peak('torch')),
      processorToTorch: round(middle('torch', 'processor') / middle('ours', 'processor')),
      ...(tfjs && {
        ratioToTfjs: round(middle('tfjs', 'seconds') / middle('ours', 'seconds')),
        processorToTfjs: round(middle('tfjs', 'processor') / middle('ours', 'processor')),
        peakToTfjs: round(peak('ours') / peak('tfjs')),
      }),
      peakMiB: [peak('ours'), peak('torch')].map(bytes => Math.round(bytes / 2 ** 20)),
    };
  } finally {
    ours.close();
    torch.close();
    if (tfjs) tfjs.close();
  }
}
