import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Options } from '../options.js';
import type { Decoder } from './decoder.js';
import { BATCH_NORM, convNormRelu, type Norm, normOf } from './norm.js';
import { pyramidPooling } from './pyramid.js';
import { upsamplingOf } from './upsampling.js';

/**
 * UPerNet's decoder (Xiao et al. 2018, arXiv:1807.10221): pyramid pooling (see pyramidPooling) reads the deepest feature, and a feature
 * pyramid carries what it found downwards; all levels are enlarged to the finest one's size and fused. Every feature is normalised
 * over its channels first.
 *
 *     f5 ─ pyramid pooling ─3×3─┬───────────────────── ×8 ─┐
 *     f4 ─1×1──────────────(+)──┘──┬─────── 3×3 ─ ×4 ──────┤
 *     f3 ─1×1─────────────────(+)──┘──┬──── 3×3 ─ ×2 ──────┼─ beside each other ─3×3─ 256 channels ─ head ─ ×4
 *     f2 ─1×1────────────────────(+)──┘──── 3×3 ───────────┘
 *
 * This is smp's of versions 0.5 and 0.6; 0.4's was another network of the same name.
 */
export const upernet: Decoder<UpernetConfig> = {
  parse,
  build: upernetDecoder,
  head: () => ({ kernel: 1, upsampling: 4 }),
};

export interface UpernetConfig {
  readonly channels: number;
  readonly norm: Norm;
}

function parse(options: Options): UpernetConfig {
  for (const older of ['decoder_pyramid_channels', 'decoder_segmentation_channels']) {
    const value = options.take(older, undefined);
    if (value !== undefined)
      throw options.unsupported(older, value, "smp 0.4's UPerNet is another network than that of 0.5 and later");
  }
  upsamplingOf(options, 4, 4);
  const norm = normOf(options);
  if (norm.type === 'instancenorm')
    throw options.unsupported('decoder_use_norm', norm.type, 'a map of one pixel has no spread to normalise by');
  return { channels: options.integer('decoder_channels', 256, 1, 4096), norm };
}

function upernetDecoder(g: GraphBuilder, features: readonly Value[], { channels: out, norm }: UpernetConfig): Value {
  const used = features.slice(2).map((feature, i) => g.layerNorm(feature, `decoder.feature_norms.${i}`, 1e-6));
  const [deep, ...laterals] = used.reverse() as [Value, ...Value[]];
  const mode = 'bilinear';
  const parts = pyramidPooling(g, deep, {
    out,
    norm: () => norm,
    mode,
    name: place => `decoder.psp.blocks.${place}.1`,
  });
  const psp = { out, kernel: 3, norm: BATCH_NORM } as const;
  let x = g.layer(convNormRelu(g, g.concat([deep, ...parts]), 'decoder.psp.out_conv', psp), 'decoder.psp');
  const levels = [x];
  laterals.forEach((feature, i) => {
    const name = `decoder.fpn_lateral_blocks.${i}`;
    const lateral = convNormRelu(g, feature, `${name}.conv_norm_relu`, { out, kernel: 1, norm });
    x = g.layer(g.add(g.resize(x, lateral, mode), lateral), name);
    levels.push(convNormRelu(g, x, `decoder.fpn_conv_blocks.${i}`, { out, kernel: 3, norm }));
  });
  const finest = levels.at(-1)!;
  const enlarged = levels.map(level => (level === finest ? level : g.resize(level, finest, mode)));
  const fused = convNormRelu(g, g.concat(enlarged.reverse()), 'decoder.fusion_block', { out, kernel: 3, norm });
  return g.layer(fused, 'decoder');
}
