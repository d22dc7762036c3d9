import { EPSILON, type GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Options } from '../options.js';

/** Normalisation between a convolution and its relu, as `decoder_use_norm` says. */
export type Norm =
  | { readonly type: 'batchnorm'; readonly epsilon: number }
  | { readonly type: 'instancenorm'; readonly epsilon: number }
  | { readonly type: 'identity' };

export const BATCH_NORM: Norm = { type: 'batchnorm', epsilon: EPSILON };
export const NO_NORM: Norm = { type: 'identity' };

/**
 * Reads `decoder_use_norm`. Up to smp 0.4 it was a boolean of another name, `older`; later versions still take that one, let it
 * win, and write both into config.json.
 */
export function normOf(options: Options, older = 'decoder_use_batchnorm'): Norm {
  const given = options.take('decoder_use_norm', 'batchnorm');
  const before = options.take(older, null);
  return before === null ? normFrom(options, 'decoder_use_norm', given) : normFrom(options, older, before);
}

function normFrom(options: Options, name: string, value: unknown): Norm {
  const unsupported = (reason?: string) => options.unsupported(name, value, reason);
  if (value === true) return BATCH_NORM;
  if (value === false) return NO_NORM;
  const given = typeof value === 'string' ? { type: value.toLowerCase() } : value;
  if (typeof given !== 'object' || given === null) throw unsupported();
  const { type, eps = EPSILON, affine, momentum, ...rest } = given as Record<string, unknown>;
  if (typeof eps !== 'number' || !(eps > 0)) throw unsupported('eps must be positive');
  const [other] = Object.keys(rest);
  if (other !== undefined) throw unsupported(`its option ${other} is not known`);
  if (type === 'identity') return NO_NORM;
  if (type === 'instancenorm' && affine === true) return { type, epsilon: eps };
  if (type === 'instancenorm') throw unsupported('smp makes it with "affine": true only');
  if (type === 'batchnorm' && affine !== false) return { type, epsilon: eps };
  throw unsupported();
}

export interface ConvNormReluOptions {
  readonly out: number;
  readonly kernel: 1 | 3;
  readonly norm: Norm;
}

/** smp's Conv2dReLU: `<name>.0` is the convolution, `<name>.1` the norm. */
export function convNormRelu(g: GraphBuilder, input: Value, name: string, options: ConvNormReluOptions): Value {
  const { out, kernel, norm } = options;
  const conv = { out, kernel, bias: norm.type === 'identity' };
  if (norm.type === 'batchnorm')
    return g.relu(g.conv(input, `${name}.0`, { ...conv, batchNorm: { name: `${name}.1`, epsilon: norm.epsilon } }));
  return g.relu(normalised(g, g.conv(input, `${name}.0`, conv), `${name}.1`, norm));
}

/** What a norm that is not folded into the convolution before it makes of a tensor. */
export function normalised(g: GraphBuilder, x: Value, name: string, norm: Norm): Value {
  if (norm.type !== 'instancenorm') return x;
  // Instance normalisation is group normalisation with a group a channel.
  return g.groupNorm(x, { name, groups: x.channels, epsilon: norm.epsilon });
}
