import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { interpolationOf, type Options } from '../options.js';
import { type Decoder, refuseTransformers, type Stem } from './decoder.js';
import { normOf } from './norm.js';
import { attentionOf } from './scse.js';
import { channelsOf, type UnetConfig, unetBlock } from './unet.js';

/**
 * U-Net++ decoder (Zhou et al. 2018, arXiv:1807.10165): a U-Net whose skip connections are U-Nets themselves. x_d_l is the block
 * that starts from what stands one place to the left and takes, as its skip, everything that was made of its own size.
 *
 *     f5 ─ x_0_0 ─ x_0_1 ─ x_0_2 ─ x_0_3 ─ x_0_4 ─ full size
 *     f4 ─ ┘   x_1_1 ┘ x_1_2 ┘ x_1_3 ┘             x_0_2 reads x_0_1, doubled, beside x_1_2, x_2_2 and f2;
 *     f3 ─ ─ ─ ┘   x_2_2 ┘ x_2_3 ┘                 x_1_2 reads x_1_1, doubled, beside x_2_2 and f2;
 *     f2 ─ ─ ─ ─ ─ ┘   x_3_3 ┘                     x_2_2 reads f3, doubled, beside f2
 *     f1 ─ ─ ─ ─ ─ ─ ─ ┘
 *
 * Blocks x_0_l have `decoder_channels`, all others as many as the encoder's feature of their size. Behind VGG smp makes the two
 * convolutions `decoder.center` and does not run them.
 */
export const unetPlusPlus: Decoder<UnetConfig> = {
  parse,
  build: unetPlusPlusDecoder,
  head: () => ({ kernel: 3, upsampling: 1 }),
};

function parse(options: Options, stem: Stem): UnetConfig {
  refuseTransformers(options, stem, 'UnetPlusPlus');
  const channels = channelsOf(options, stem.depth);
  const attention = attentionOf(options, channels);
  return { channels, norm: normOf(options), attention, interpolation: interpolationOf(options) };
}

function unetPlusPlusDecoder(g: GraphBuilder, features: readonly Value[], options: UnetConfig): Value {
  const [head, ...skips] = features.slice(1).reverse() as [Value, ...Value[]];
  const name = (block: number, layer: number) => `decoder.blocks.x_${block}_${layer}`;
  /** By block, of the layer before. */
  let before: Value[] = [head];
  options.channels.forEach((first, layer) => {
    const skip = skips[layer];
    const made: Value[] = [];
    // The block nearest the encoder comes first; those on its left read it.
    for (let block = skip ? layer : 0; block >= 0; block--) {
      const coarse = block === layer ? (skips[layer - 1] ?? head) : before[block]!;
      const beside = skip && g.concat([...made.slice(block + 1, layer + 1), skip]);
      const out = block === 0 ? first : skip!.channels;
      made[block] = unetBlock(g, coarse, beside, name(block, layer), { ...options, out });
    }
    before = made;
  });
  return before[0]!;
}
