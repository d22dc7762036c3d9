import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Encoder } from './encoder.js';

/**
 * DenseNet (Huang et al. 2016, arXiv:1608.06993) as an encoder: in a dense block every layer sees what all layers before it made, and
 * adds a few channels to it.
 *
 *     image ─7×7/2─norm─relu─ f1 ─pool/2─ block 1 ─norm─relu─ f2 ─1×1─average/2─ block 2 ─norm─relu─ f3 … block 4 ─norm─ f5
 *
 *     layer:  x ─norm─relu─1×1─norm─relu─3×3─[x +]
 *
 * A norm stands in front of its convolution here and cannot be folded into it. timm's features are those between the blocks themselves,
 * before the norm that follows, except for the last, which has a relu.
 */
interface Shape {
  readonly layers: readonly [number, number, number, number];
  /** Channels that a layer adds. */
  readonly growth: number;
  readonly first: number;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  densenet121: { layers: [6, 12, 24, 16], growth: 32, first: 64 },
  densenet169: { layers: [6, 12, 32, 32], growth: 32, first: 64 },
  densenet201: { layers: [6, 12, 48, 32], growth: 32, first: 64 },
  densenet161: { layers: [6, 12, 36, 24], growth: 48, first: 96 },
};

const COMMON = { depth: 5, centre: false, dilates: false } as const;

export const DENSENETS = Object.entries(SHAPES).flatMap(([name, shape]): [string, Encoder][] => [
  [name, { ...COMMON, build: (g, depth) => densenet(g, 'encoder.features.', shape, depth, 'smp') }],
  [`tu-${name}`, { ...COMMON, build: (g, depth) => densenet(g, 'encoder.model.features_', shape, depth, 'timm') }],
]);

/** Features [f0, …, f_depth]. */
function densenet(g: GraphBuilder, root: string, shape: Shape, depth: number, taps: 'smp' | 'timm'): Value[] {
  const { layers, growth, first } = shape;
  let x = g.conv(g.image, `${root}conv0`, { out: first, kernel: 7, stride: 2, batchNorm: `${root}norm0` });
  x = g.layer(g.relu(x), taps === 'smp' ? `${root}relu0` : `${root}norm0`);
  const features = [g.image, x];
  if (depth >= 2) x = g.maxPool(x, { size: 3, stride: 2, padding: 1 });
  for (let stage = 1; stage < depth; stage++) {
    for (let layer = 1; layer <= layers[stage - 1]!; layer++)
      x = denseLayer(g, x, `${root}denseblock${stage}.denselayer${layer}`, growth);
    x = g.layer(x, `${root}denseblock${stage}`);
    if (stage === 4) {
      const last = g.batchNorm(x, `${root}norm5`);
      features.push(g.layer(taps === 'smp' ? last : g.relu(last), `${root}norm5`));
      break;
    }
    if (taps === 'timm') features.push(x);
    // What nothing reads is left out.
    if (taps === 'timm' && stage + 1 === depth) break;
    const name = `${root}transition${stage}`;
    x = g.relu(g.batchNorm(x, `${name}.norm`));
    if (taps === 'smp') features.push(g.layer(x, `${name}.relu`));
    if (stage + 1 === depth) break;
    x = g.conv(x, `${name}.conv`, { out: x.channels / 2, kernel: 1, bias: false });
    x = g.averagePool(x, { size: 2, stride: 2 });
  }
  return features;
}

function denseLayer(g: GraphBuilder, x: Value, name: string, growth: number): Value {
  let y = g.relu(g.batchNorm(x, `${name}.norm1`));
  y = g.relu(g.conv(y, `${name}.conv1`, { out: 4 * growth, kernel: 1, batchNorm: `${name}.norm2` }));
  return g.concat([x, g.conv(y, `${name}.conv2`, { out: growth, kernel: 3, bias: false })]);
}
