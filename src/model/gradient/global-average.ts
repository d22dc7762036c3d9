import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** Every pixel gets its part of the mean's gradient. */
export function globalAverage({ p }: Context, x: Term): Taped {
  const part = 1 / (x.shape[2]! * x.shape[3]!);
  return {
    output: p.mul(p.sum(x, [2, 3]), part),
    backward: gradient => [p.expand(p.mul(gradient, part), x.shape)],
  };
}
