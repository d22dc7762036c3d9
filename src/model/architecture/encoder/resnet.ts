import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Encoder } from './encoder.js';

/**
 * ResNet (He et al. 2015, arXiv:1512.03385) as an encoder: five stages, each halving the image, each remembering its
 * output for the decoder. Stage 1 is a 7 × 7 convolution; the others are runs of basic blocks.
 *
 *     image ─7×7/2─ f1 ─pool/2─ layer1 ─ f2 ─ layer2/2 ─ f3 ─ layer3/2 ─ f4 ─ layer4/2 ─ f5
 *     3 ch          64 ch, S/2            64, S/4       128, S/8       256, S/16        512, S/32
 */
const BLOCKS = {
  resnet18: [2, 2, 2, 2],
  resnet34: [3, 4, 6, 3],
} as const satisfies Record<string, readonly [number, number, number, number]>;

export const RESNETS = Object.entries(BLOCKS).map(([name, blocks]): [string, Encoder] => [
  name,
  { depth: 5, centre: false, build: (g, depth) => resnet(g, blocks, depth) },
]);

const CHANNELS = [64, 128, 256, 512] as const;

/** Features [f0, …, f_depth]: the image itself, then one tensor a stage. */
function resnet(g: GraphBuilder, blocks: readonly number[], depth: number): Value[] {
  let x = g.conv(g.image, 'encoder.conv1', { out: 64, kernel: 7, stride: 2, batchNorm: 'encoder.bn1' });
  x = g.layer(g.relu(x), 'encoder.relu');
  const features = [g.image, x];
  if (depth >= 2) x = g.maxPool(x, { size: 3, stride: 2, padding: 1 });
  for (let stage = 0; stage < depth - 1; stage++) {
    for (let block = 0; block < blocks[stage]!; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = basicBlock(g, x, `encoder.layer${stage + 1}.${block}`, CHANNELS[stage]!, stride);
    }
    features.push(g.layer(x, `encoder.layer${stage + 1}`));
  }
  return features;
}

/** Two 3 × 3 convolutions learn a correction to the input, which is added back: relu(x + f(x)). */
function basicBlock(g: GraphBuilder, x: Value, name: string, out: number, stride: number): Value {
  let y = g.conv(x, `${name}.conv1`, { out, kernel: 3, stride, batchNorm: `${name}.bn1` });
  y = g.conv(g.relu(y), `${name}.conv2`, { out, kernel: 3, batchNorm: `${name}.bn2` });
  // Where the shape changes, a 1 × 1 convolution brings the input to the correction's shape.
  const fits = stride === 1 && x.channels === out;
  const shortcut = fits
    ? x
    : g.conv(x, `${name}.downsample.0`, { out, kernel: 1, stride, batchNorm: `${name}.downsample.1` });
  return g.relu(g.add(y, shortcut));
}
