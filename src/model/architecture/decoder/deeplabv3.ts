import type { OutputStride } from '../encoder/encoder.js';
import { type AsppConfig, aspp, asppOf, convNorm } from './aspp.js';
import type { Decoder } from './decoder.js';
import { deepest, outputStrideOf } from './output-stride.js';
import { upsamplingOf } from './upsampling.js';

/**
 * DeepLabV3's decoder (Chen et al. 2017, arXiv:1706.05587): the encoder's last stages do not shrink the image, so that its deepest
 * feature is fine enough to be the mask, enlarged; it is read at several distances at once (see aspp).
 *
 *     f5 (an eighth of the image's side) ─ aspp ─3×3─ 256 channels ─ head ─ ×8
 */
export const deepLabV3: Decoder<DeepLabConfig> = {
  parse: (options, stem) => {
    const outputStride = outputStrideOf(options, stem, 8, [8, 16]);
    const needed = deepest(stem, outputStride);
    const upsampling = upsamplingOf(options.nullAsAbsent('upsampling'), needed, needed);
    return { ...asppOf(options, false), outputStride, upsampling };
  },
  outputStride: ({ outputStride }) => outputStride,
  build: (g, features, config) => {
    const x = aspp(g, features.at(-1)!, 'decoder.aspp', config);
    return g.layer(convNorm(g, x, 'decoder.conv', 'decoder.bn', { out: config.channels, kernel: 3 }), 'decoder');
  },
  head: ({ upsampling }) => ({ kernel: 1, upsampling }),
};

export interface DeepLabConfig extends AsppConfig {
  readonly outputStride: OutputStride;
  readonly upsampling: number;
}
