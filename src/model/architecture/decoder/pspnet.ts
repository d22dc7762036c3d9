import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Options } from '../options.js';
import type { Decoder, Stem } from './decoder.js';
import { convNormRelu, type Norm, normOf } from './norm.js';
import { normExceptOfOne, POOL_SIDES, pyramidPooling } from './pyramid.js';
import { upsamplingOf } from './upsampling.js';

/**
 * Pyramid Scene Parsing decoder (Zhao et al. 2016, arXiv:1612.01105): beside what the encoder saw at each place stands what
 * it saw on average around it, in parts of four sizes; a 1 × 1 convolution reads both. The mask is enlarged from there.
 *
 *     f3 ─┬─ average 1 × 1 ─1×1─ enlarge ─┐
 *         ├─ average 2 × 2 ─1×1─ enlarge ─┤
 *         ├─ average 3 × 3 ─1×1─ enlarge ─┼─ beside each other ─1×1─ 512 channels ─ head ─ ×8
 *         ├─ average 6 × 6 ─1×1─ enlarge ─┤
 *         └───────────────────────────────┘
 */
export const pspnet: Decoder<PspnetConfig> = {
  depth: 3,
  parse,
  build: pspnetDecoder,
  head: ({ upsampling }) => ({ kernel: 3, upsampling }),
};

export interface PspnetConfig {
  readonly channels: number;
  readonly norm: Norm;
  readonly upsampling: number;
}

function parse(options: Options, { depth }: Stem): PspnetConfig {
  // Its effect is on training alone (see dropoutOf).
  options.take('psp_dropout', undefined);
  return {
    channels: options.integer('psp_out_channels', 512, 1, 4096),
    norm: normOf(options, 'psp_use_batchnorm'),
    upsampling: upsamplingOf(options, 8, 2 ** depth),
  };
}

function pspnetDecoder(g: GraphBuilder, features: readonly Value[], { channels, norm }: PspnetConfig): Value {
  const x = features.at(-1)!;
  const pooled = pyramidPooling(g, x, {
    out: Math.floor(x.channels / POOL_SIDES.length),
    norm: normExceptOfOne(norm),
    mode: 'bilinear-corners',
    name: place => `decoder.psp.blocks.${place}.pool.1`,
  });
  const all = g.layer(g.concat([...pooled, x]), 'decoder.psp');
  return g.layer(convNormRelu(g, all, 'decoder.conv', { out: channels, kernel: 1, norm }), 'decoder');
}
