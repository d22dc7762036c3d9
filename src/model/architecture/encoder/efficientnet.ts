import type { GraphBuilder } from '../../graph/builder.js';
import type { Padding, Value } from '../../graph/graph.js';
import { B0, SCALINGS, type Scaling, scaledBlocks, scaledChannels } from './efficientnet-shape.js';
import { type Encoder, type OutputStride, stageOf } from './encoder.js';
import { squeezeExcite } from './squeeze.js';

/**
 * EfficientNet as smp has it, ported from TensorFlow: batch norms with ε = 10⁻³ and a momentum of 0.01, and "same" padding, which is more below and right
 * than above and left where a stride does not come out even. How uneven was settled once, for the image side that the network was
 * trained on, and stays so whatever the patch is: a b2 pads its fourth stride on both sides, since 260 px have become 65.
 */
const EPSILON = 1e-3;
const MOMENTUM = 0.01;

/** Blocks, counted through, whose outputs are f2 … f5. */
const TAPS = [
  [2, 4, 8, 15],
  [4, 7, 15, 22],
  [4, 7, 15, 22],
  [4, 7, 17, 25],
  [5, 9, 21, 31],
  [7, 12, 26, 38],
  [8, 14, 30, 44],
  [10, 17, 37, 54],
] as const;

export const EFFICIENTNETS = SCALINGS.map((scaling, size): [string, Encoder] => [
  `efficientnet-b${size}`,
  {
    depth: 5,
    centre: false,
    dilates: true,
    build: (g, depth, outputStride) => efficientnet(g, scaling, TAPS[size]!, depth, outputStride),
  },
]);

/** Features [f0, …, f_depth]. */
function efficientnet(
  g: GraphBuilder,
  scaling: Scaling,
  taps: readonly number[],
  depth: number,
  outputStride: OutputStride,
): Value[] {
  let { side } = scaling;
  const first = { out: scaledChannels(32, scaling.width), kernel: 3, stride: 2, padding: samePadding(side, 3, 2) };
  let x = g.conv(g.image, 'encoder._conv_stem', { ...first, batchNorm: norm('encoder._bn0') });
  x = g.activate(x, 'silu');
  side = Math.ceil(side / 2);
  const features = [g.image, x];
  let block = 0;
  for (const run of B0) {
    const out = scaledChannels(run.out, scaling.width);
    for (let i = 0; i < scaledBlocks(run.blocks, scaling.depth); i++, block++) {
      if (features.length > depth) return features;
      const stride = i === 0 ? run.stride : 1;
      const h = stageOf(g, block > taps[2]! ? 32 : block > taps[1]! ? 16 : 1, outputStride);
      const padding = samePadding(side, run.kernel, stride);
      x = mbconv(h, x, `encoder._blocks.${block}`, { ...run, out, stride, padding });
      side = Math.ceil(side / stride);
      g.layer(x, `encoder._blocks.${block}`);
      if (taps.includes(block)) features.push(x);
    }
  }
  return features;
}

const norm = (name: string) => ({ name, epsilon: EPSILON, momentum: MOMENTUM });

/** TensorFlow's: as much as makes the output ⌈side ÷ stride⌉ pixels, the odd one below and right. */
function samePadding(side: number, kernel: number, stride: number): Padding {
  const total = Math.max(0, (Math.ceil(side / stride) - 1) * stride + kernel - side);
  const before = total >> 1;
  return [before, before, total - before, total - before];
}

interface Block {
  readonly kernel: number;
  readonly stride: number;
  readonly expand: number;
  readonly out: number;
  readonly padding: Padding;
}

/** Mobile inverted bottleneck; the squeezed channels are a quarter of the block's input. */
function mbconv(g: GraphBuilder, x: Value, name: string, { kernel, stride, expand, out, padding }: Block): Value {
  const wide = x.channels * expand;
  let y = x;
  if (expand > 1) {
    y = g.conv(y, `${name}._expand_conv`, { out: wide, kernel: 1, batchNorm: norm(`${name}._bn0`) });
    y = g.activate(y, 'silu');
  }
  const depthwise = { out: wide, kernel, stride, padding, groups: wide };
  y = g.conv(y, `${name}._depthwise_conv`, { ...depthwise, batchNorm: norm(`${name}._bn1`) });
  y = squeezeExcite(g, g.activate(y, 'silu'), {
    reduce: `${name}._se_reduce`,
    expand: `${name}._se_expand`,
    squeezed: Math.max(1, Math.floor(x.channels / 4)),
    activation: 'silu',
  });
  y = g.conv(y, `${name}._project_conv`, { out, kernel: 1, batchNorm: norm(`${name}._bn2`) });
  return stride === 1 && x.channels === out ? g.add(y, x) : y;
}
