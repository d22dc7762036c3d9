import { EPSILON, type GraphBuilder } from '../../graph/builder.js';
import type { Activation, Padding, Value } from '../../graph/graph.js';
import { B0, type BlockRun, SCALINGS, scaledBlocks, scaledChannels } from './efficientnet-shape.js';
import { type Encoder, type OutputStride, stageOf } from './encoder.js';
import { squeezeExcite } from './squeeze.js';

/**
 * EfficientNet as timm has it, and what timm builds of the same blocks: EfficientNet-Lite (relu6, no squeeze and excitation, first
 * and last stage unscaled) and MobileNetV2. By name:
 *
 *     timm-efficientnet-b0        smp's, ε = 10⁻⁵, padding on all sides, f1 behind the first convolution
 *     tu-efficientnet_b0          the same network; f1 behind the first run of blocks
 *     tu-tf_efficientnet_b0       ported from TensorFlow: ε = 10⁻³, padding below and right where there is a stride
 */
interface Variant {
  readonly root: string;
  readonly runs: readonly BlockRun[];
  readonly width: number;
  readonly depth: number;
  /** Channels of the first convolution, and whether depth leaves the first and the last run as they are. */
  readonly first: number;
  readonly fixed: boolean;
  readonly activation: Activation;
  readonly squeezes: boolean;
  readonly epsilon: number;
  readonly same: boolean;
  readonly f1: 'first' | 'blocks.0';
}

const BASE: Omit<Variant, 'root' | 'f1' | 'first'> = {
  runs: B0,
  width: 1,
  depth: 1,
  fixed: false,
  activation: 'silu',
  squeezes: true,
  epsilon: EPSILON,
  same: false,
};
const SMP = { root: 'encoder', f1: 'first' } as const;
const TIMM = { root: 'encoder.model', f1: 'blocks.0' } as const;
const TENSORFLOW = { epsilon: 1e-3, same: true } as const;
const LITE = { activation: 'relu6', squeezes: false, fixed: true, first: 32 } as const;
const LITES = SCALINGS.slice(0, 5);

const RUNS_V2: readonly BlockRun[] = B0.map((run, stage) => ({
  ...run,
  kernel: 3,
  out: [16, 24, 32, 64, 96, 160, 320][stage]!,
  blocks: [1, 2, 3, 4, 3, 3, 1][stage]!,
}));

export const TIMM_EFFICIENTNETS: readonly [string, Encoder][] = [
  ...SCALINGS.flatMap(({ width, depth }, size) => {
    const scaled = { ...BASE, width, depth, first: scaledChannels(32, width) };
    return [
      named(`timm-efficientnet-b${size}`, { ...scaled, ...SMP }),
      named(`tu-efficientnet_b${size}`, { ...scaled, ...TIMM }),
      named(`tu-tf_efficientnet_b${size}`, { ...scaled, ...TIMM, ...TENSORFLOW }),
    ];
  }),
  ...LITES.flatMap(({ width, depth }, size) => {
    const lite = { ...BASE, ...LITE, width, depth };
    return [
      named(`timm-tf_efficientnet_lite${size}`, { ...lite, ...SMP }),
      named(`tu-efficientnet_lite${size}`, { ...lite, ...TIMM }),
      named(`tu-tf_efficientnet_lite${size}`, { ...lite, ...TIMM, ...TENSORFLOW }),
    ];
  }),
  named('tu-mobilenetv2_100', { ...BASE, ...TIMM, runs: RUNS_V2, activation: 'relu6', squeezes: false, first: 32 }),
];

function named(name: string, variant: Variant): [string, Encoder] {
  const build: Encoder['build'] = (g, depth, outputStride) => efficientnet(g, variant, depth, outputStride);
  return [name, { depth: 5, centre: false, dilates: variant.root === SMP.root, build }];
}

/** Runs whose last blocks make f1 … f5. */
const TAPS = [0, 1, 2, 4, 6] as const;

/** Features [f0, …, f_depth]. */
function efficientnet(g: GraphBuilder, variant: Variant, depth: number, outputStride: OutputStride): Value[] {
  const { root, runs, activation, f1, width, first } = variant;
  let x = conv(g, g.image, variant, `${root}.conv_stem`, `${root}.bn1`, { out: first, kernel: 3, stride: 2 });
  x = g.layer(g.activate(x, activation), `${root}.bn1`);
  const features = f1 === 'first' ? [g.image, x] : [g.image];
  for (const [stage, run] of runs.entries()) {
    if (features.length > depth) break;
    const out = scaledChannels(run.out, width);
    const unscaled = variant.fixed && (stage === 0 || stage === runs.length - 1);
    const blocks = unscaled ? run.blocks : scaledBlocks(run.blocks, variant.depth);
    const h = stageOf(g, stage >= 5 ? 32 : stage >= 3 ? 16 : 1, outputStride);
    for (let i = 0; i < blocks; i++) {
      const name = `${root}.blocks.${stage}.${i}`;
      x = block(h, x, variant, name, { ...run, out, stride: i === 0 ? run.stride : 1 });
    }
    g.layer(x, `${root}.blocks.${stage}`);
    if (TAPS.some(tap => tap === stage) && (stage > 0 || f1 === 'blocks.0')) features.push(x);
  }
  return features;
}

interface Step {
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
}

/** A convolution and its norm; with a stride, TensorFlow's padding is the odd pixel more below and right, all sides being even. */
function conv(g: GraphBuilder, x: Value, { epsilon, same }: Variant, name: string, norm: string, step: Step): Value {
  const after = step.kernel >> 1;
  const uneven: Padding = [after - 1, after - 1, after, after];
  const padding = same && step.stride === 2 ? { padding: uneven } : {};
  return g.conv(x, name, { ...step, ...padding, batchNorm: { name: norm, epsilon } });
}

function block(
  g: GraphBuilder,
  x: Value,
  variant: Variant,
  name: string,
  { kernel, stride, expand, out }: Pick<BlockRun, 'kernel' | 'stride' | 'expand' | 'out'>,
): Value {
  const { activation } = variant;
  const wide = x.channels * expand;
  let norms = 1;
  let y = x;
  const step = (from: Value, what: string, options: Step) =>
    conv(g, from, variant, `${name}.${what}`, `${name}.bn${norms++}`, options);
  if (expand > 1) y = g.activate(step(y, 'conv_pw', { out: wide, kernel: 1 }), activation);
  y = g.activate(step(y, 'conv_dw', { out: wide, kernel, stride, groups: wide }), activation);
  if (variant.squeezes)
    y = squeezeExcite(g, y, {
      reduce: `${name}.se.conv_reduce`,
      expand: `${name}.se.conv_expand`,
      squeezed: Math.round(x.channels / 4),
      activation,
    });
  y = step(y, expand > 1 ? 'conv_pwl' : 'conv_pw', { out, kernel: 1 });
  return stride === 1 && x.channels === out ? g.add(y, x) : y;
}
