import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { type Encoder, type OutputStride, stageOf } from './encoder.js';

/**
 * MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) as an encoder, in torchvision's names: a flat list of inverted bottlenecks, wide
 * where the cheap depthwise convolution is and narrow where tensors are kept.
 *
 *     block:  x ─1×1 up to 6×─relu6─3×3 depthwise─relu6─1×1 down─(+)─
 *             └────────────────── where the shape stays ──────────┘
 */
const STAGES = [
  { expand: 1, out: 16, blocks: 1, stride: 1 },
  { expand: 6, out: 24, blocks: 2, stride: 2 },
  { expand: 6, out: 32, blocks: 3, stride: 2 },
  { expand: 6, out: 64, blocks: 4, stride: 2 },
  { expand: 6, out: 96, blocks: 3, stride: 1 },
  { expand: 6, out: 160, blocks: 3, stride: 2 },
  { expand: 6, out: 320, blocks: 1, stride: 1 },
] as const;

export const MOBILENETS: readonly [string, Encoder][] = [
  ['mobilenet_v2', { depth: 5, centre: false, dilates: true, build: mobilenet }],
];

/** Modules whose outputs are features, and the first ones of the stages that smp dilates. */
const TAPS = [1, 3, 6, 13, 18] as const;
const dilatedStride = (module: number): number => (module >= 14 ? 32 : module >= 7 ? 16 : 1);

/** Features [f0, …, f_depth]. */
function mobilenet(g: GraphBuilder, depth: number, outputStride: OutputStride): Value[] {
  let x = convNormRelu6(g, g.image, 'encoder.features.0', { out: 32, kernel: 3, stride: 2 });
  const features = [g.image];
  const last = TAPS[depth - 1]!;
  let module = 1;
  for (const { expand, out, blocks, stride } of STAGES)
    for (let block = 0; block < blocks && module <= last; block++, module++) {
      const h = stageOf(g, dilatedStride(module), outputStride);
      x = inverted(h, x, `encoder.features.${module}.conv`, { expand, out, stride: block === 0 ? stride : 1 });
      g.layer(x, `encoder.features.${module}`);
      if (TAPS.some(tap => tap === module)) features.push(x);
    }
  if (depth < TAPS.length) return features;
  const h = stageOf(g, 32, outputStride);
  return [
    ...features,
    g.layer(convNormRelu6(h, x, 'encoder.features.18', { out: 1280, kernel: 1 }), 'encoder.features.18'),
  ];
}

interface Step {
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
}

function convNormRelu6(g: GraphBuilder, x: Value, name: string, options: Step): Value {
  return g.activate(g.conv(x, `${name}.0`, { ...options, batchNorm: `${name}.1` }), 'relu6');
}

function inverted(
  g: GraphBuilder,
  x: Value,
  name: string,
  { expand, out, stride }: { readonly expand: number; readonly out: number; readonly stride: number },
): Value {
  const wide = x.channels * expand;
  let y = x;
  let module = 0;
  if (expand > 1) y = convNormRelu6(g, y, `${name}.${module++}`, { out: wide, kernel: 1 });
  y = convNormRelu6(g, y, `${name}.${module++}`, { out: wide, kernel: 3, stride, groups: wide });
  y = g.conv(y, `${name}.${module}`, { out, kernel: 1, batchNorm: `${name}.${module + 1}` });
  return stride === 1 && x.channels === out ? g.add(x, y) : y;
}
