// The same steps by this product: `node train-child.mjs <side> <batch> <threads> [engine]`; see train-torch.py.
import { createInterface } from 'node:readline';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { IMAGENET } from '#src/model/manifest.js';
import { createTrainer } from '#src/train/trainer.js';
import { peakOf } from './processor.mjs';

const [size, batch, threads] = process.argv.slice(2, 5).map(Number);
const engine = process.argv[5] ?? 'cpu';
const graph = buildNetwork(parseArchitecture({ _model_class: 'FPN', encoder_name: 'resnet34' }, 'config.json'));
let seed = 1;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 31 - 1;
};
const read = async name => {
  const shape = graph.parameters.get(name);
  const count = shape.reduce((product, length) => product * length, 1);
  if (shape.length === 4)
    return Float32Array.from({ length: count }, () => random() * Math.sqrt(6 / (count / shape[0])));
  return new Float32Array(count).fill(/weight|running_var/.test(name) ? 1 : 0);
};
const recipe = {
  loss: 'dice',
  optimizer: 'adam',
  weightDecay: 0,
  frozen: [],
  normStatistics: 'batch',
  threads,
  seed: 1,
};
const trainer = await createTrainer({ graph, source: { read }, input: IMAGENET }, recipe, { engine });
const images = Uint8Array.from({ length: batch * size * size * 3 }, () => 128 * (random() + 1));
const labels = Uint8Array.from({ length: batch * size * size }, () => (random() > 0 ? 1 : 0));

for await (const _ of createInterface({ input: process.stdin })) {
  const clock = performance.now();
  const before = process.cpuUsage();
  await trainer.step([{ size, images, labels }], 1e-4);
  const { user, system } = process.cpuUsage(before);
  console.log(
    JSON.stringify({
      seconds: (performance.now() - clock) / 1000,
      processor: (user + system) / 1e6,
      peak: peakOf('self'),
    }),
  );
}
await trainer.close();
