import { EPSILON, type GraphBuilder } from '../../graph/builder.js';
import type { Interpolation, Value } from '../../graph/graph.js';
import { interpolationOf, type Options } from '../options.js';
import type { Decoder, Stem } from './decoder.js';

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
  readonly norm: UnetNorm;
  readonly attention: 'scse' | null;
  readonly interpolation: Interpolation;
}

/** Normalisation between a convolution and its relu. */
export type UnetNorm =
  | { readonly type: 'batchnorm'; readonly epsilon: number }
  | { readonly type: 'instancenorm'; readonly epsilon: number }
  | { readonly type: 'identity' };

const UNET_NORM: UnetNorm = { type: 'batchnorm', epsilon: EPSILON };

function parse(options: Options, { depth }: Stem): UnetConfig {
  const channels = options.take('decoder_channels', [256, 128, 64, 32, 16]);
  if (!Array.isArray(channels) || channels.length !== depth || !channels.every(n => Number.isInteger(n) && n > 0))
    throw options.invalid('decoder_channels', channels, `${depth} positive numbers are needed, one an encoder stage`);
  const attention = options.oneOf('decoder_attention_type', null, [null, 'scse']) as 'scse' | null;
  if (attention && channels.some(n => n < 16))
    throw options.unsupported('decoder_channels', channels, 'scse attention squeezes fewer than 16 channels to none');
  return { channels, norm: normOf(options), attention, interpolation: interpolationOf(options) };
}

function normOf(options: Options): UnetNorm {
  // Up to smp 0.4 the option was a boolean of another name.
  const value = options.take('decoder_use_norm', options.take('decoder_use_batchnorm', 'batchnorm'));
  const unsupported = (reason?: string) => options.unsupported('decoder_use_norm', value, reason);
  if (value === true) return UNET_NORM;
  if (value === false) return { type: 'identity' };
  const given = typeof value === 'string' ? { type: value.toLowerCase() } : value;
  if (typeof given !== 'object' || given === null) throw unsupported();
  const { type, eps = EPSILON, affine, momentum, ...rest } = given as Record<string, unknown>;
  if (typeof eps !== 'number' || !(eps > 0)) throw unsupported('eps must be positive');
  const [other] = Object.keys(rest);
  if (other !== undefined) throw unsupported(`its option ${other} is not known`);
  if (type === 'identity') return { type };
  if (type === 'instancenorm' && affine === true) return { type, epsilon: eps };
  if (type === 'instancenorm') throw unsupported('smp makes it with "affine": true only');
  if (type === 'batchnorm' && affine !== false) return { type, epsilon: eps };
  throw unsupported();
}

function unetDecoder(g: GraphBuilder, features: readonly Value[], options: UnetConfig, { encoder }: Stem): Value {
  // f0 has the image's size and is no skip connection in this network.
  const [head, ...skips] = features.slice(1).reverse() as [Value, ...Value[]];
  let x = head;
  if (encoder.centre) {
    x = convNormRelu(g, x, 'decoder.center.0', head.channels, options.norm);
    x = convNormRelu(g, x, 'decoder.center.1', head.channels, options.norm);
    g.layer(x, 'decoder.center');
  }
  options.channels.forEach((out, step) => {
    const name = `decoder.blocks.${step}`;
    x = g.upsample(x, 2, options.interpolation);
    const skip = skips[step];
    if (skip) {
      x = g.concat([x, skip]);
      if (options.attention === 'scse') x = scse(g, x, `${name}.attention1.attention`);
    }
    x = convNormRelu(g, x, `${name}.conv1`, out, options.norm);
    x = convNormRelu(g, x, `${name}.conv2`, out, options.norm);
    if (options.attention === 'scse') x = scse(g, x, `${name}.attention2.attention`);
    g.layer(x, name);
  });
  return x;
}

function convNormRelu(g: GraphBuilder, input: Value, name: string, out: number, norm: UnetNorm): Value {
  const conv = { out, kernel: 3, bias: norm.type === 'identity' };
  if (norm.type === 'batchnorm')
    return g.relu(g.conv(input, `${name}.0`, { ...conv, batchNorm: { name: `${name}.1`, epsilon: norm.epsilon } }));
  const x = g.conv(input, `${name}.0`, conv);
  if (norm.type === 'identity') return g.relu(x);
  // Instance normalisation is group normalisation with a group a channel.
  return g.relu(g.groupNorm(x, { name: `${name}.1`, groups: out, epsilon: norm.epsilon }));
}

/**
 * Concurrent spatial and channel squeeze & excitation (Roy et al. 2018, arXiv:1808.08127): weighs each channel by what
 * the whole patch shows, each pixel by what its channels show, and adds both.
 */
function scse(g: GraphBuilder, x: Value, name: string): Value {
  const squeezed = g.relu(g.conv(g.globalAverage(x), `${name}.cSE.1`, { out: Math.floor(x.channels / 16), kernel: 1 }));
  const channelWeights = g.sigmoid(g.conv(squeezed, `${name}.cSE.3`, { out: x.channels, kernel: 1 }));
  const pixelWeights = g.sigmoid(g.conv(x, `${name}.sSE.0`, { out: 1, kernel: 1 }));
  return g.add(g.multiply(x, channelWeights), g.multiply(x, pixelWeights));
}
