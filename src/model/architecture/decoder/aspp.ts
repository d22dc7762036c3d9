import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Options } from '../options.js';

/** What both DeepLabs are told. */
export interface AsppConfig {
  readonly channels: number;
  /** Pixels between the places that each of the three 3 × 3 convolutions looks at. */
  readonly rates: readonly [number, number, number];
  /** A 3 × 3 convolution of each channel and a 1 × 1 one of all, instead of a 3 × 3 one. */
  readonly separable: boolean;
}

export function asppOf(options: Options, separable: boolean): AsppConfig {
  // Its effect is on training alone (see dropoutOf).
  options.take('decoder_aspp_dropout', undefined);
  const rates = options.take('decoder_atrous_rates', [12, 24, 36]);
  if (!Array.isArray(rates) || rates.length !== 3 || !rates.every(rate => Number.isInteger(rate) && rate > 0))
    throw options.invalid('decoder_atrous_rates', rates, 'three whole numbers above 0 are needed');
  return {
    channels: options.integer('decoder_channels', 256, 1, 4096),
    rates: rates as unknown as AsppConfig['rates'],
    separable: options.oneOf('decoder_aspp_separable', separable, [true, false]) as boolean,
  };
}

/**
 * Atrous spatial pyramid pooling (Chen et al. 2017, arXiv:1706.05587): the same places looked at alone, with neighbours 12, 24 and 36
 * pixels away, and beside the average of the whole map; a 1 × 1 convolution reads all five.
 */
export function aspp(g: GraphBuilder, x: Value, name: string, { channels: out, rates, separable }: AsppConfig): Value {
  const at = (place: number) => `${name}.convs.${place}`;
  const own = convNorm(g, x, `${at(0)}.0`, `${at(0)}.1`, { out, kernel: 1 });
  const far = rates.map((dilation, i) => {
    const [conv, norm] = [`${at(i + 1)}.0`, `${at(i + 1)}.1`];
    return separable
      ? separableConv(g, x, conv, norm, { out, dilation })
      : convNorm(g, x, conv, norm, { out, kernel: 3, dilation });
  });
  const whole = convNorm(g, g.globalAverage(x), `${at(4)}.1`, `${at(4)}.2`, { out, kernel: 1 });
  const all = g.concat([own, ...far, g.resize(whole, x, 'bilinear')]);
  return g.layer(convNorm(g, all, `${name}.project.0`, `${name}.project.1`, { out, kernel: 1 }), name);
}

export function convNorm(
  g: GraphBuilder,
  x: Value,
  name: string,
  batchNorm: string,
  options: { readonly out: number; readonly kernel: 1 | 3; readonly dilation?: number },
): Value {
  return g.relu(g.conv(x, name, { ...options, batchNorm }));
}

/** Each channel is convolved by itself, then a 1 × 1 convolution mixes them; norm and relu come last. */
export function separableConv(
  g: GraphBuilder,
  x: Value,
  name: string,
  batchNorm: string,
  { out, dilation = 1 }: { readonly out: number; readonly dilation?: number },
): Value {
  const each = { out: x.channels, kernel: 3, groups: x.channels, dilation, bias: false };
  return convNorm(g, g.conv(x, `${name}.0`, each), `${name}.1`, batchNorm, { out, kernel: 1 });
}
