import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** Each input gets its channels of the gradient. */
export function concat({ p }: Context, inputs: readonly Term[]): Taped {
  return {
    output: p.concat(inputs),
    backward: (gradient, wanted) => {
      let from = 0;
      return inputs.map(({ shape }, i) => {
        const at = from;
        from += shape[1]!;
        return wanted[i] ? p.channels(gradient, at, shape[1]!) : undefined;
      });
    },
  };
}
