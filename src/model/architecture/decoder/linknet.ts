import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { type Decoder, refuseTransformers, type Stem } from './decoder.js';
import { convNormRelu, type Norm, normalised, normOf } from './norm.js';

/**
 * LinkNet decoder (Chaurasia & Culurciello 2017, arXiv:1707.03718): a light U-Net. A step narrows its input to a quarter, doubles it
 * by a transposed 4 × 4 convolution, widens it to the encoder's feature of that size and adds that one.
 *
 *     f5 ─1×1─ 4×4 transposed, ×2 ─1×1─(+f4)─ … ─(+f1)─ step ─ 32 channels, full size
 *          512 ÷ 4          512 ÷ 4    256
 */
export const linknet: Decoder<LinknetConfig> = {
  parse: (options, stem) => {
    refuseTransformers(options, stem, 'Linknet');
    return { norm: normOf(options) };
  },
  build: linknetDecoder,
  head: () => ({ kernel: 1, upsampling: 1 }),
};

export interface LinknetConfig {
  readonly norm: Norm;
}

/** Channels behind the last step. */
const LAST = 32;

function linknetDecoder(g: GraphBuilder, features: readonly Value[], { norm }: LinknetConfig, { depth }: Stem): Value {
  const [head, ...skips] = features.slice(1).reverse() as [Value, ...Value[]];
  let x = head;
  for (let step = 0; step < depth; step++) {
    const name = `decoder.blocks.${step}`;
    const skip = skips[step];
    const narrow = Math.floor(x.channels / 4);
    x = convNormRelu(g, x, `${name}.block.0`, { out: narrow, kernel: 1, norm });
    x = doubled(g, x, `${name}.block.1`, norm);
    x = convNormRelu(g, x, `${name}.block.2`, { out: skip?.channels ?? LAST, kernel: 1, norm });
    if (skip) x = g.add(x, skip);
    g.layer(x, name);
  }
  return x;
}

function doubled(g: GraphBuilder, x: Value, name: string, norm: Norm): Value {
  const options = { out: x.channels, kernel: 4, stride: 2, padding: 1 };
  if (norm.type === 'batchnorm') {
    const batchNorm = { name: `${name}.1`, epsilon: norm.epsilon };
    return g.relu(g.convTranspose(x, `${name}.0`, { ...options, batchNorm }));
  }
  return g.relu(normalised(g, g.convTranspose(x, `${name}.0`, options), `${name}.1`, norm));
}
