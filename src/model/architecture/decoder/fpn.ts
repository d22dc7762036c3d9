import type { GraphBuilder } from '../../graph/builder.js';
import type { Interpolation, Value } from '../../graph/graph.js';
import { interpolationOf, type Options } from '../options.js';
import type { Decoder, Stem } from './decoder.js';
import { upsamplingOf } from './upsampling.js';

/**
 * Feature Pyramid Network decoder (Lin et al. 2016, arXiv:1612.03144; the segmentation form of Kirillov et al. 2019,
 * arXiv:1901.02446). The coarsest feature knows what, the finest knows where: the pyramid carries "what" downwards,
 *
 *     c5 ─1×1─ p5 ─────────────── segment, ×8 ─┐
 *               └×2─(+)─ p4 ───── segment, ×4 ─┤
 *     c4 ─1×1────────┘  └×2─(+)─ p3 ─ seg., ×2 ┼─(merge)─ 128 channels at the size of c2
 *     c3 ─1×1────────────────┘ └×2─(+)─ p2 ─ s.┘
 *     c2 ─1×1───────────────────────┘
 *
 * and every level is then segmented by 3 × 3 convolutions and brought to the finest level's size.
 */
export const fpn: Decoder<FpnConfig> = {
  parse,
  build: fpnDecoder,
  head: ({ upsampling }) => ({ kernel: 1, upsampling }),
};

export interface FpnConfig {
  readonly pyramidChannels: number;
  readonly segmentationChannels: number;
  readonly merge: 'add' | 'cat';
  readonly interpolation: Interpolation;
  readonly upsampling: number;
}

function parse(options: Options, { depth, encoder }: Stem): FpnConfig {
  if (encoder.emptyHalf && depth < 5)
    throw options.unsupported(
      'encoder_depth',
      depth,
      'FPN needs the feature of half the size, which this encoder has not',
    );
  const segmentationChannels = options.integer('decoder_segmentation_channels', 128, 32, 4096);
  if (segmentationChannels % 32 !== 0)
    throw options.unsupported('decoder_segmentation_channels', segmentationChannels, 'GroupNorm makes 32 groups');
  // The decoder's output has the size of the fourth last feature.
  const upsampling = upsamplingOf(options, 4, 2 ** (depth - 3));
  return {
    pyramidChannels: options.integer('decoder_pyramid_channels', 256, 1, 4096),
    segmentationChannels,
    merge: options.oneOf('decoder_merge_policy', 'add', ['add', 'cat']) as 'add' | 'cat',
    interpolation: interpolationOf(options),
    upsampling,
  };
}

function fpnDecoder(g: GraphBuilder, features: readonly Value[], options: FpnConfig): Value {
  const [c2, c3, c4, c5] = features.slice(-4) as [Value, Value, Value, Value];
  const { pyramidChannels, segmentationChannels, interpolation } = options;

  const descend = (coarse: Value, skip: Value, name: string) => {
    const lateral = g.conv(skip, `decoder.${name}.skip_conv`, { out: pyramidChannels, kernel: 1 });
    return g.layer(g.add(g.upsample(coarse, 2, interpolation), lateral), `decoder.${name}`);
  };
  const p5 = g.layer(g.conv(c5, 'decoder.p5', { out: pyramidChannels, kernel: 1 }), 'decoder.p5');
  const p4 = descend(p5, c4, 'p4');
  const p3 = descend(p4, c3, 'p3');
  const p2 = descend(p3, c2, 'p2');

  const segmented = [p5, p4, p3, p2].map((pyramid, i) => segment(g, pyramid, i, 3 - i, segmentationChannels));
  const merged = options.merge === 'add' ? segmented.reduce((sum, next) => g.add(sum, next)) : g.concat(segmented);
  return g.layer(merged, 'decoder');
}

/** Convolution, group normalisation, relu, doubling; `doublings` times, or once without doubling. */
function segment(g: GraphBuilder, pyramid: Value, index: number, doublings: number, out: number): Value {
  let x = pyramid;
  for (let i = 0; i < Math.max(1, doublings); i++) {
    const name = `decoder.seg_blocks.${index}.block.${i}.block`;
    x = g.conv(x, `${name}.0`, { out, kernel: 3, bias: false });
    x = g.relu(g.groupNorm(x, { name: `${name}.1`, groups: 32 }));
    if (doublings > 0) x = g.upsample(x, 2, 'bilinear-corners');
  }
  return g.layer(x, `decoder.seg_blocks.${index}`);
}
