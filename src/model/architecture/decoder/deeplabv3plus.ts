import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { aspp, asppOf, convNorm, separableConv } from './aspp.js';
import type { Decoder } from './decoder.js';
import type { DeepLabConfig } from './deeplabv3.js';
import { outputStrideOf } from './output-stride.js';
import { upsamplingOf } from './upsampling.js';

/**
 * DeepLabV3+'s decoder (Chen et al. 2018, arXiv:1802.02611): DeepLabV3's, enlarged to a quarter of the image's size, where the
 * encoder's fine feature tells it where edges are.
 *
 *     f5 (a 16th) ─ aspp ─3×3─ 256 channels ─ ×4 ─┐
 *     f2 (a quarter) ─1×1─ 48 channels ───────────┴─ beside each other ─3×3─ 256 channels ─ head ─ ×4
 *
 * Its 3 × 3 convolutions are separable.
 */
export const deepLabV3Plus: Decoder<DeepLabConfig> = {
  parse: (options, stem) => ({
    ...asppOf(options, true),
    outputStride: outputStrideOf(options, stem, 16, [8, 16]),
    upsampling: upsamplingOf(options, 4, 4),
  }),
  outputStride: ({ outputStride }) => outputStride,
  build: deepLabV3PlusDecoder,
  head: ({ upsampling }) => ({ kernel: 1, upsampling }),
};

/** Channels of the fine feature, the paper's. */
const FINE = 48;

function deepLabV3PlusDecoder(g: GraphBuilder, features: readonly Value[], config: DeepLabConfig): Value {
  const out = config.channels;
  const [deep, fine] = [features.at(-1)!, features[2]!];
  const found = aspp(g, deep, 'decoder.aspp.0', config);
  const coarse = g.layer(separableConv(g, found, 'decoder.aspp.1', 'decoder.aspp.2', { out }), 'decoder.aspp');
  const enlarged = g.upsample(coarse, (deep.stride as number) / (fine.stride as number), 'bilinear-corners');
  const edges = convNorm(g, fine, 'decoder.block1.0', 'decoder.block1.1', { out: FINE, kernel: 1 });
  const both = g.concat([enlarged, g.layer(edges, 'decoder.block1')]);
  return g.layer(separableConv(g, both, 'decoder.block2.0', 'decoder.block2.1', { out }), 'decoder');
}
