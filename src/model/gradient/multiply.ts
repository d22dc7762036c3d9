import type { ProgramBuilder } from '../program/builder.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** Each input gets the gradient times the other one; a repeated input the sum over its repetitions. */
export function multiply({ p }: Context, [a, b]: readonly [Term, Term]): Taped {
  return {
    output: p.mul(a, b),
    backward: (gradient, [wantsA, wantsB]) => [
      wantsA ? summedTo(p, p.mul(gradient, b), a.shape) : undefined,
      wantsB ? summedTo(p, p.mul(gradient, a), b.shape) : undefined,
    ],
  };
}

function summedTo(p: ProgramBuilder, x: Term, shape: readonly number[]): Term {
  const axes = [...shape.keys()].filter(axis => shape[axis] === 1 && x.shape[axis] !== 1);
  return axes.length > 0 ? p.sum(x, axes) : x;
}
