import type { GraphBuilder } from '../../graph/builder.js';
import type { Activation, Value } from '../../graph/graph.js';

/**
 * Squeeze and excitation (Hu et al. 2017, arXiv:1709.01507): weighs each channel by what the whole patch shows of all channels.
 *
 *     x ─ average over the patch ─ 1×1 to `squeezed` channels ─ activation ─ 1×1 back ─ sigmoid ─(×)─
 *     └────────────────────────────────────────────────────────────────────────────────────────┘
 */
export function squeezeExcite(
  g: GraphBuilder,
  x: Value,
  { reduce, expand, squeezed, activation }: SqueezeNames,
): Value {
  const few = g.activate(g.conv(g.globalAverage(x), reduce, { out: squeezed, kernel: 1 }), activation);
  return g.multiply(x, g.sigmoid(g.conv(few, expand, { out: x.channels, kernel: 1 })));
}

export interface SqueezeNames {
  /** Names of the two convolutions. */
  readonly reduce: string;
  readonly expand: string;
  readonly squeezed: number;
  readonly activation: Activation;
}
