import { type AveragePoolNode, sidesOf } from '../graph/graph.js';
import { transposed } from '../program/interpolation.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** Averages over windows are a matrix along each axis; the gradient goes the other way. */
export function averagePool({ p }: Context, x: Term, node: Omit<AveragePoolNode, 'op' | 'input'>): Taped {
  const [top, left, bottom, right] = sidesOf(node.padding);
  const tall = averages(x.shape[2]!, top, bottom, node);
  const wide = averages(x.shape[3]!, left, right, node);
  const along = (term: Term, [a, b]: readonly [number[][], number[][]]) => p.along(p.along(term, 2, a), 3, b);
  return {
    output: along(x, [tall, wide]),
    backward: gradient => [along(gradient, [transposed(tall), transposed(wide)])],
  };
}

/** [to, from]: what each sample adds to each window along one axis. */
function averages(
  length: number,
  before: number,
  after: number,
  { size, stride, countsPadding }: Pick<AveragePoolNode, 'size' | 'stride' | 'countsPadding'>,
): number[][] {
  const windows = Math.floor((length + before + after - size) / stride) + 1;
  return Array.from({ length: windows }, (_, window) => {
    const first = window * stride - before;
    const row = Array.from({ length }, (_, at) => (at >= first && at < first + size ? 1 : 0) as number);
    const count = countsPadding ? size : row.reduce((sum, one) => sum + one, 0);
    return row.map(one => one / count);
  });
}
