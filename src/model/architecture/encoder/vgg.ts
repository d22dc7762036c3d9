import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Encoder } from './encoder.js';

/**
 * VGG (Simonyan & Zisserman 2014, arXiv:1409.1556) as an encoder: runs of 3 × 3 convolutions, a 2 × 2 max pooling after
 * each run. A stage's output is taken before its pooling, so f0 already has 64 channels at full size, and the last
 * feature is the last pooling itself.
 *
 *     image ─ run1 ─ f0 ─pool─ run2 ─ f1 ─pool─ run3 ─ f2 ─pool─ run4 ─ f3 ─pool─ run5 ─ f4 ─pool─ f5
 *             64, S            128, S/2          256, S/4          512, S/8          512, S/16     512, S/32
 */
const RUNS = {
  vgg11: [1, 1, 2, 2, 2],
  vgg13: [2, 2, 2, 2, 2],
  vgg16: [2, 2, 3, 3, 3],
  vgg19: [2, 2, 4, 4, 4],
} as const satisfies Record<string, readonly number[]>;

export const VGGS = Object.entries(RUNS).flatMap(([name, runs]): [string, Encoder][] => [
  [name, { depth: 5, centre: true, dilates: false, build: (g, depth) => vgg(g, runs, false, depth) }],
  [`${name}_bn`, { depth: 5, centre: true, dilates: false, build: (g, depth) => vgg(g, runs, true, depth) }],
]);

const CHANNELS = [64, 128, 256, 512, 512] as const;

/** Features [f0, …, f_depth]. */
function vgg(g: GraphBuilder, runs: readonly number[], batchNorm: boolean, depth: number): Value[] {
  const features: Value[] = [];
  let x = g.image;
  // torchvision numbers every module of the flat list `features`: convolution, (batch norm,) relu, …, pooling.
  let module = 0;
  for (let stage = 0; stage < runs.length && stage <= depth; stage++) {
    for (let layer = 0; layer < runs[stage]!; layer++) {
      const norm = batchNorm ? { batchNorm: `encoder.features.${module + 1}` } : {};
      // torchvision's VGG keeps the convolution's bias even in front of a batch norm.
      x = g.conv(x, `encoder.features.${module}`, { out: CHANNELS[stage]!, kernel: 3, bias: true, ...norm });
      x = g.relu(x);
      module += batchNorm ? 3 : 2;
    }
    features.push(g.layer(x, `encoder.features.${module - 1}`));
    if (stage < depth) x = g.maxPool(x, { size: 2, stride: 2 });
    module++;
  }
  if (depth === runs.length) features.push(x);
  return features;
}
