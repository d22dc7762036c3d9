import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Options } from '../options.js';
import type { Decoder } from './decoder.js';
import { BATCH_NORM, convNormRelu } from './norm.js';
import { upsamplingOf } from './upsampling.js';

/**
 * SegFormer's decoder (Xie et al. 2021, arXiv:2105.15203): every feature is brought to the same channels by a linear map of each
 * pixel's, and to a quarter of the image's size; one 1 × 1 convolution reads all of them, deepest first.
 *
 *     f5 ─ linear ─ ×8 ──┐
 *     f4 ─ linear ─ ×4 ──┤
 *     f3 ─ linear ─ ×2 ──┼─ beside each other ─1×1─ 256 channels ─ head ─ ×4
 *     f2 ─ linear ───────┤
 *     f1 ─ linear ─ ÷2 ──┘   (the encoders of the paper have no f1)
 */
export const segformer: Decoder<SegformerConfig> = {
  parse,
  build: segformerDecoder,
  head: () => ({ kernel: 1, upsampling: 4 }),
};

export interface SegformerConfig {
  readonly channels: number;
}

function parse(options: Options): SegformerConfig {
  upsamplingOf(options, 4, 4);
  return { channels: options.integer('decoder_segmentation_channels', 256, 1, 4096) };
}

function segformerDecoder(g: GraphBuilder, features: readonly Value[], { channels: out }: SegformerConfig): Value {
  const quarter = features[2]!;
  const maps = features
    .slice(1)
    .filter(({ channels }) => channels > 0)
    .reverse()
    .map((feature, place) => {
      const mixed = g.conv(feature, `decoder.mlp_stage.${place}.linear`, { out, kernel: 1, linear: true });
      return feature.stride === quarter.stride ? mixed : g.resize(mixed, quarter, 'bilinear');
    });
  const fused = convNormRelu(g, g.concat(maps), 'decoder.fuse_stage', { out, kernel: 1, norm: BATCH_NORM });
  return g.layer(fused, 'decoder');
}
