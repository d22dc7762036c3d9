import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** Both inputs get the output's gradient as it is. */
export function add({ p }: Context, [a, b]: readonly [Term, Term]): Taped {
  return { output: p.add(a, b), backward: (gradient, wanted) => wanted.map(wants => (wants ? gradient : undefined)) };
}
