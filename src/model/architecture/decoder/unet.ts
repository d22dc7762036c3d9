import type { GraphBuilder } from '../../graph/builder.js';
import type { Interpolation, Value } from '../../graph/graph.js';
import { interpolationOf, type Options } from '../options.js';
import type { Decoder, Stem } from './decoder.js';
import { convNormRelu, type Norm, normOf } from './norm.js';
import { type Attention, attentionOf, scse } from './scse.js';

/**
 * U-Net decoder (Ronneberger et al. 2015, arXiv:1505.04597): doubles the coarsest feature step by step, each time
 * setting the encoder's feature of that size beside it and mixing both by two 3 × 3 convolutions.
 *
 *     f5 ─(centre)─×2─[+f4]─2 conv─×2─[+f3]─2 conv─×2─[+f2]─2 conv─×2─[+f1]─2 conv─×2─2 conv─ full size
 *                           256             128              64              32            16 channels
 */
export const unet: Decoder<UnetConfig> = { parse, build: unetDecoder, head: () => ({ kernel: 3, upsampling: 1 }) };

export interface UnetConfig {
  /** One a step, coarse to fine; as many as the encoder is deep. */
  readonly channels: readonly number[];
  readonly norm: Norm;
  readonly attention: Attention;
  readonly interpolation: Interpolation;
}

function parse(options: Options, { depth }: Stem): UnetConfig {
  const channels = channelsOf(options, depth);
  const attention = attentionOf(options, channels);
  return { channels, norm: normOf(options), attention, interpolation: interpolationOf(options) };
}

/** Reads `decoder_channels`: one a step, coarse to fine. */
export function channelsOf(options: Options, depth: number): number[] {
  const channels = options.take('decoder_channels', [256, 128, 64, 32, 16]);
  if (!Array.isArray(channels) || channels.length !== depth || !channels.every(n => Number.isInteger(n) && n > 0))
    throw options.invalid('decoder_channels', channels, `${depth} positive numbers are needed, one an encoder stage`);
  return channels as number[];
}

function unetDecoder(g: GraphBuilder, features: readonly Value[], options: UnetConfig, { encoder }: Stem): Value {
  // f0 has the image's size and is no skip connection in this network.
  const [head, ...skips] = features.slice(1).reverse() as [Value, ...Value[]];
  let x = head;
  if (encoder.centre) {
    const centre = { out: head.channels, kernel: 3, norm: options.norm } as const;
    x = convNormRelu(g, x, 'decoder.center.0', centre);
    x = convNormRelu(g, x, 'decoder.center.1', centre);
    g.layer(x, 'decoder.center');
  }
  options.channels.forEach((out, step) => {
    x = unetBlock(g, x, skips[step], `decoder.blocks.${step}`, { ...options, out });
  });
  return x;
}

/** Doubles x, sets the skip beside it, where there is one, and mixes both. */
export function unetBlock(
  g: GraphBuilder,
  coarse: Value,
  skip: Value | undefined,
  name: string,
  options: Omit<UnetConfig, 'channels'> & { readonly out: number },
): Value {
  const { out, norm, attention, interpolation } = options;
  let x = g.upsample(coarse, 2, interpolation);
  if (skip) {
    x = g.concat([x, skip]);
    if (attention === 'scse') x = scse(g, x, `${name}.attention1.attention`);
  }
  x = convNormRelu(g, x, `${name}.conv1`, { out, kernel: 3, norm });
  x = convNormRelu(g, x, `${name}.conv2`, { out, kernel: 3, norm });
  if (attention === 'scse') x = scse(g, x, `${name}.attention2.attention`);
  return g.layer(x, name);
}
