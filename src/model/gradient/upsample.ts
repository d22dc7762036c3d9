import type { Bilinear, Interpolation } from '../graph/graph.js';
import type { ProgramBuilder } from '../program/builder.js';
import { averages, enlargement, transposed } from '../program/interpolation.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

type Matrices = readonly [tall: number[][], wide: number[][]];

const matricesOf = ({ shape }: Term, matrix: (size: number, axis: 2 | 3) => number[][]): Matrices => [
  matrix(shape[2]!, 2),
  matrix(shape[3]!, 3),
];

const along = (p: ProgramBuilder, x: Term, [tall, wide]: Matrices): Term => p.along(p.along(x, 2, tall), 3, wide);

/** What is linear along both axes has the same weights the other way as its gradient. */
function separable({ p }: Context, x: Term, matrices: Matrices): Taped {
  const back: Matrices = [transposed(matrices[0]), transposed(matrices[1])];
  return { output: along(p, x, matrices), backward: gradient => [along(p, gradient, back)] };
}

export function upsample(context: Context, x: Term, factor: number, mode: Interpolation): Taped {
  const { p } = context;
  if (mode === 'nearest')
    return { output: p.upsample(x, factor, mode), backward: gradient => [p.blockSum(gradient, factor)] };
  const taped = separable(
    context,
    x,
    matricesOf(x, size => enlargement(size, size * factor, mode)),
  );
  return mode === 'bicubic' ? taped : { ...taped, output: p.upsample(x, factor, mode) };
}

export function resize(context: Context, x: Term, like: Term, mode: Bilinear): Taped {
  const taped = separable(
    context,
    x,
    matricesOf(x, (size, axis) => enlargement(size, like.shape[axis]!, mode)),
  );
  return { ...taped, backward: (gradient, wanted) => [...taped.backward(gradient, wanted), undefined] };
}

export function adaptiveAverage(context: Context, x: Term, side: number): Taped {
  return separable(
    context,
    x,
    matricesOf(x, size => averages(size, side)),
  );
}
