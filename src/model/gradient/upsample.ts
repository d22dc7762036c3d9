import type { Interpolation } from '../graph/graph.js';
import { enlargement, transposed } from '../program/interpolation.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** Enlarging is linear: its gradient is the same weights the other way. */
export function upsample({ p }: Context, x: Term, factor: number, mode: Interpolation): Taped {
  const [, , height, width] = x.shape as [number, number, number, number];
  const matrices = [enlargement(height, factor, mode), enlargement(width, factor, mode)] as const;
  const along = (term: Term, [tall, wide]: readonly [number[][], number[][]]) =>
    p.along(p.along(term, 2, tall), 3, wide);
  return {
    output: mode === 'bicubic' ? along(x, matrices) : p.upsample(x, factor, mode),
    backward: gradient => [
      mode === 'nearest'
        ? p.blockSum(gradient, factor)
        : along(gradient, [transposed(matrices[0]), transposed(matrices[1])]),
    ],
  };
}
