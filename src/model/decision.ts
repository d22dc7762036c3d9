import type { Architecture } from './architecture/config.js';
import type { Manifest } from './manifest.js';

/**
 * How logits become a mask. One class, or several that do not exclude each other: positive where any positive class's
 * logit is above `logit`. Several that do: positive where the positive classes' softmax probabilities sum to more than
 * `probability` (with two classes and 0.5 that is arg max).
 */
export type Decision =
  | { readonly rule: 'sigmoid'; readonly channels: readonly number[]; readonly logit: number }
  | { readonly rule: 'softmax'; readonly channels: readonly number[]; readonly probability: number };

/** p > t is the same as x > ln(t / (1 − t)) for p = 1 / (1 + e^−x); comparing the logit spares the exponential. */
export function decisionOf(
  { activation }: Pick<Architecture, 'activation'>,
  { threshold, positiveClasses }: Pick<Manifest, 'threshold' | 'positiveClasses'>,
): Decision {
  if (activation === 'softmax') return { rule: 'softmax', channels: positiveClasses, probability: threshold };
  return { rule: 'sigmoid', channels: positiveClasses, logit: Math.log(threshold / (1 - threshold)) };
}
