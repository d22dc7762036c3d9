import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** The gradient passes where the output is above 0; at 0 it does not, as in PyTorch. */
export function relu({ p }: Context, x: Term): Taped {
  const output = p.unary('relu', x);
  return { output, backward: gradient => [p.gate(gradient, output)] };
}
