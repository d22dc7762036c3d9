/**
 * How scores become a mask.
 * `any`: positive where the largest score of the positive classes is above `bar`; for one class, and for classes that do
 * not exclude each other.
 * `sum`: positive where the positive classes' softmax probabilities sum to more than `bar`; for classes that do (with two
 * of them and 0.5 that is arg max).
 */
export interface Decision {
  readonly rule: 'any' | 'sum';
  readonly channels: readonly number[];
  readonly of: 'logits' | 'probabilities';
  readonly bar: number;
  /** The same bar for a probability. */
  readonly threshold: number;
}

export interface Scores {
  /** What turns logits into probabilities: each class by itself, or all against each other. */
  readonly activation: 'sigmoid' | 'softmax';
  /** What the network's last layer gives. */
  readonly of: 'logits' | 'probabilities';
}

/** p > t is the same as x > ln(t / (1 − t)) for p = 1 / (1 + e^−x); comparing the logit spares the exponential. */
export function decisionOf(
  { activation, of }: Scores,
  { threshold, positiveClasses }: { readonly threshold: number; readonly positiveClasses: readonly number[] },
): Decision {
  if (activation === 'softmax') return { rule: 'sum', channels: positiveClasses, of, bar: threshold, threshold };
  const bar = of === 'logits' ? Math.log(threshold / (1 - threshold)) : threshold;
  return { rule: 'any', channels: positiveClasses, of, bar, threshold };
}
