import type { GraphBuilder } from '../../graph/builder.js';
import type { Interpolation, Value } from '../../graph/graph.js';
import { interpolationOf, type Options } from '../options.js';
import type { Decoder, Stem } from './decoder.js';
import { convNormRelu, type Norm, normOf } from './norm.js';
import { channelsOf, unetBlock } from './unet.js';

/**
 * MA-Net decoder (Fan et al. 2020, doi:10.1109/ACCESS.2020.3025372): a U-Net with two kinds of attention. At the bottom every
 * place looks at every other (PAB); on the way up the encoder's feature and what comes from below weigh the latter's channels
 * together before they are set beside each other (MFAB).
 *
 *     f5 ─ PAB ─ MFAB(f4) ─ MFAB(f3) ─ MFAB(f2) ─ MFAB(f1) ─×2─ 2 conv ─ full size
 *                 256        128        64         32               16 channels
 */
export const manet: Decoder<ManetConfig> = { parse, build: manetDecoder, head: () => ({ kernel: 3, upsampling: 1 }) };

export interface ManetConfig {
  /** One a step, coarse to fine; as many as the encoder is deep. */
  readonly channels: readonly number[];
  /** Channels by which places are compared. */
  readonly pabChannels: number;
  readonly norm: Norm;
  readonly interpolation: Interpolation;
}

function parse(options: Options, { depth }: Stem): ManetConfig {
  return {
    channels: channelsOf(options, depth),
    pabChannels: options.integer('decoder_pab_channels', 64, 1, 4096),
    norm: normOf(options),
    interpolation: interpolationOf(options),
  };
}

function manetDecoder(g: GraphBuilder, features: readonly Value[], options: ManetConfig): Value {
  const { norm, interpolation } = options;
  const [head, ...skips] = features.slice(1).reverse() as [Value, ...Value[]];
  let x = pab(g, head, options.pabChannels);
  options.channels.forEach((out, step) => {
    const name = `decoder.blocks.${step}`;
    const skip = skips[step];
    // Where the encoder has none of this size, smp has an empty one.
    x = skip?.channels
      ? mfab(g, x, skip, name, { ...options, out })
      : unetBlock(g, x, undefined, name, { norm, interpolation, attention: null, out });
  });
  return x;
}

/** Position-wise attention block. */
function pab(g: GraphBuilder, x: Value, out: number): Value {
  const name = 'decoder.center';
  const top = g.conv(x, `${name}.top_conv`, { out, kernel: 1 });
  const centre = g.conv(x, `${name}.center_conv`, { out, kernel: 1 });
  const bottom = g.conv(x, `${name}.bottom_conv`, { out: x.channels, kernel: 3 });
  const seen = g.add(x, g.positionAttention(top, centre, bottom));
  return g.layer(g.conv(seen, `${name}.out_conv`, { out: x.channels, kernel: 3 }), name);
}

/** Multi-scale fusion attention block: channel weights of both inputs, added, weigh the lower one. */
function mfab(
  g: GraphBuilder,
  coarse: Value,
  skip: Value,
  name: string,
  { out, norm, interpolation }: ManetConfig & { readonly out: number },
): Value {
  let x = convNormRelu(g, coarse, `${name}.hl_conv.0`, { out: coarse.channels, kernel: 3, norm });
  x = convNormRelu(g, x, `${name}.hl_conv.1`, { out: skip.channels, kernel: 1, norm });
  x = g.upsample(x, 2, interpolation);
  const weights = g.add(channelWeights(g, x, `${name}.SE_hl`), channelWeights(g, skip, `${name}.SE_ll`));
  x = g.concat([g.multiply(x, weights), skip]);
  x = convNormRelu(g, x, `${name}.conv1`, { out, kernel: 3, norm });
  return g.layer(convNormRelu(g, x, `${name}.conv2`, { out, kernel: 3, norm }), name);
}

/** Squeeze & excitation (Hu et al. 2017, arXiv:1709.01507): what the whole patch shows says how much each channel counts. */
function channelWeights(g: GraphBuilder, x: Value, name: string): Value {
  const out = Math.max(1, Math.floor(x.channels / 16));
  const squeezed = g.relu(g.conv(g.globalAverage(x), `${name}.1`, { out, kernel: 1 }));
  return g.sigmoid(g.conv(squeezed, `${name}.3`, { out: x.channels, kernel: 1 }));
}
