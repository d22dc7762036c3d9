import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from './support.mjs';

const here = name => fileURLToPath(new URL(name, import.meta.url));

/**
 * Training steps of FPN/ResNet34 here and in PyTorch eager (TORCH=<python with torch and segmentation_models_pytorch>), in turn, each
 * in a process of its own that waits while the other one computes. By the clock; the processor's time, which a busy machine
 * disturbs less, beside it.
 */
export async function benchTrain({ side = 512, batch = 4, threads = 2, rounds = 3, say }) {
  const python = process.env['TORCH'];
  if (!python)
    throw new Error('name a Python with torch and segmentation_models_pytorch: TORCH=<python> npm run bench -- train');
  const given = [side, batch, threads].map(String);
  const ours = child(process.execPath, [here('train-child.mjs'), ...given]);
  const torch = child(python, [here('train-torch.py'), ...given]);
  try {
    // The first step makes the model ready, and is not counted.
    await ours.step();
    await torch.step();
    const rows = [];
    for (let round = 0; round < rounds; round++) {
      const row = { ours: await ours.step(), torch: await torch.step() };
      rows.push(row);
      const shown = ({ seconds, processor }) => `${seconds.toFixed(2)} s (processor ${processor.toFixed(2)} s)`;
      say(`round ${round + 1}: ${shown(row.ours)}, PyTorch ${shown(row.torch)}`);
    }
    const middle = (who, what) => median(rows.map(row => row[who][what]));
    const peak = who => Math.max(...rows.map(row => row[who].peak));
    const round = value => Number(value.toPrecision(4));
    return {
      imagesPerSecond: round(batch / middle('ours', 'seconds')),
      ratioToTorch: round(middle('torch', 'seconds') / middle('ours', 'seconds')),
      peakToTorch: round(peak('ours') / peak('torch')),
      processorToTorch: round(middle('torch', 'processor') / middle('ours', 'processor')),
      peakMiB: [peak('ours'), peak('torch')].map(bytes => Math.round(bytes / 2 ** 20)),
    };
  } finally {
    ours.close();
    torch.close();
  }
}

function child(command, args) {
  const started = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
  return {
    async step() {
      started.stdin.write('\n');
      const { value, done } = await lines.next();
      if (done) throw new Error(`${command} ${args[0]} ended`);
      return JSON.parse(value);
    },
    close: () => started.stdin.end(),
  };
}
