import { EPSILON, type GraphBuilder } from '../graph/builder.js';
import type { Interpolation, Value } from '../graph/graph.js';

/**
 * U-Net decoder (Ronneberger et al. 2015, arXiv:1505.04597): doubles the coarsest feature step by step, each time
 * setting the encoder's feature of that size beside it and mixing both by two 3 × 3 convolutions.
 *
 *     f5 ─(centre)─×2─[+f4]─2 conv─×2─[+f3]─2 conv─×2─[+f2]─2 conv─×2─[+f1]─2 conv─×2─2 conv─ full size
 *                           256             128              64              32            16 channels
 */
export interface UnetOptions {
  /** One a step, coarse to fine; as many as the encoder is deep. */
  readonly channels: readonly number[];
  readonly norm: UnetNorm;
  readonly attention: 'scse' | null;
  readonly interpolation: Interpolation;
  /** Two more convolutions on the coarsest feature; smp adds them behind VGG encoders. */
  readonly centre: boolean;
}

/** Normalisation between a convolution and its relu. */
export type UnetNorm =
  | { readonly type: 'batchnorm'; readonly epsilon: number }
  | { readonly type: 'instancenorm'; readonly epsilon: number }
  | { readonly type: 'identity' };

export const UNET_NORM: UnetNorm = { type: 'batchnorm', epsilon: EPSILON };

export function unetDecoder(g: GraphBuilder, features: readonly Value[], options: UnetOptions): Value {
  // f0 has the image's size and is no skip connection in this network.
  const [head, ...skips] = features.slice(1).reverse() as [Value, ...Value[]];
  let x = head;
  if (options.centre) {
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
