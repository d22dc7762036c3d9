import type { GraphBuilder } from '../../graph/builder.js';
import type { Interpolation, Value } from '../../graph/graph.js';
import type { OutputStride } from '../encoder/encoder.js';
import { interpolationOf, type Options } from '../options.js';
import type { Decoder, Stem } from './decoder.js';
import { deepest, outputStrideOf } from './output-stride.js';
import { upsamplingOf } from './upsampling.js';

/**
 * Pyramid Attention Network decoder (Li et al. 2018, arXiv:1805.10180). The deepest feature is weighed by a small U-Net of one
 * channel over it (feature pyramid attention, FPA); each finer feature is then weighed by what the coarser one shows on
 * average, and added to it (global attention upsample, GAU).
 *
 *     f5 ─ FPA ─ GAU(f4) ─ GAU(f3) ─ GAU(f2) ─ head ─ ×4
 *
 *     FPA:  x ─1×1────────────────────────────(×)─(+)      GAU:  coarse ─┬─ enlarge ──────(+)
 *           x ─ ÷2, 7×7 ─┬────────── 7×7 ─(+)──┘   │                     └─ average ─1×1─σ─┐│
 *                 ÷2, 5×5 ─┬─ 5×5 ─(+)──┘          │             fine ─ 3×3 ─────────────(×)┘
 *                   ÷2, 3×3, 3×3 ───┘              │
 *           x ─ average ─1×1───────────────────────┘
 */
export const pan: Decoder<PanConfig> = {
  parse,
  outputStride: ({ outputStride }) => outputStride,
  build: panDecoder,
  head: () => ({ kernel: 3, upsampling: 4 }),
  // The deepest feature is halved three times.
  leastSide: ({ outputStride }, stem) => 8 * deepest(stem, outputStride),
};

export interface PanConfig {
  readonly channels: number;
  /** From the coarser to the finer feature. */
  readonly interpolation: Interpolation;
  readonly outputStride: OutputStride;
}

function parse(options: Options, stem: Stem): PanConfig {
  upsamplingOf(options, 4, 4);
  return {
    channels: options.integer('decoder_channels', 32, 1, 4096),
    interpolation: panInterpolation(options),
    outputStride: outputStrideOf(options, stem, 16, [16, 32]),
  };
}

/** 'bilinear' lies corner on corner here. Later versions of smp still take the older name and let it win. */
function panInterpolation(options: Options): Interpolation {
  const given = interpolationOf(options, 'decoder_interpolation', 'bilinear');
  const mode = interpolationOf(options, 'upscale_mode', given);
  return mode === 'bilinear' ? 'bilinear-corners' : mode;
}

function panDecoder(g: GraphBuilder, features: readonly Value[], { channels, interpolation }: PanConfig): Value {
  let x = pyramidAttention(g, features.at(-1)!, 'decoder.fpa', channels);
  for (let level = features.length - 2; level >= 2; level--)
    x = attentionUpsample(g, features[level]!, x, `decoder.gau${level - 1}`, channels, interpolation);
  return g.layer(x, 'decoder');
}

function pyramidAttention(g: GraphBuilder, x: Value, name: string, out: number): Value {
  const whole = g.resize(convNorm(g, g.globalAverage(x), `${name}.branch1.1`, out, 1), x, 'bilinear-corners');
  const half = (value: Value) => g.maxPool(value, { size: 2, stride: 2 });
  const x1 = convNorm(g, half(x), `${name}.down1.1`, 1, 7);
  const x2 = convNorm(g, half(x1), `${name}.down2.1`, 1, 5);
  const x3 = convNorm(g, convNorm(g, half(x2), `${name}.down3.1`, 1, 3), `${name}.down3.2`, 1, 3);
  const below = g.add(convNorm(g, x2, `${name}.conv2`, 1, 5), g.resize(x3, x2, 'bilinear-corners'));
  const weights = g.add(convNorm(g, x1, `${name}.conv1`, 1, 7), g.resize(below, x1, 'bilinear-corners'));
  const weighed = g.multiply(convNorm(g, x, `${name}.mid.0`, out, 1), g.resize(weights, x, 'bilinear-corners'));
  return g.layer(g.add(weighed, whole), name);
}

function attentionUpsample(
  g: GraphBuilder,
  fine: Value,
  coarse: Value,
  name: string,
  out: number,
  mode: Interpolation,
): Value {
  const weights = g.sigmoid(convBatchNorm(g, g.globalAverage(coarse), `${name}.conv1.1`, out, 1));
  const weighed = g.multiply(convNorm(g, fine, `${name}.conv2`, out, 3), weights);
  const factor = (coarse.stride as number) / (fine.stride as number);
  return g.layer(g.add(g.upsample(coarse, factor, mode), weighed), name);
}

const convNorm = (g: GraphBuilder, x: Value, name: string, out: number, kernel: number): Value =>
  g.relu(convBatchNorm(g, x, name, out, kernel));

/** PAN's convolutions have a bias in front of their norm. */
const convBatchNorm = (g: GraphBuilder, x: Value, name: string, out: number, kernel: number): Value =>
  g.conv(x, `${name}.conv`, { out, kernel, bias: true, batchNorm: `${name}.bn` });
