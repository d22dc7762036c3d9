import type { Padding } from '../graph/graph.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** The gradient goes to where the largest value came from; of equal ones to the first, row by row, as in PyTorch. */
export function maxPool(
  { p }: Context,
  x: Term,
  window: { readonly size: number; readonly stride: number; readonly padding: Padding },
): Taped {
  const output = p.maxPool(x, window);
  return { output, backward: gradient => [p.unpool(gradient, output, x)] };
}
