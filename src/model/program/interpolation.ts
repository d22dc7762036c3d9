import type { Interpolation } from '../graph/graph.js';

/**
 * Bringing one axis to another size as a matrix: row i says how much each of `size` samples adds to sample i of `to`. Every row sums
 * to 1.
 */
export function enlargement(size: number, to: number, mode: Interpolation): number[][] {
  if (mode === 'bicubic') return cubicWeights(size, to);
  return Array.from({ length: to }, (_, i) => {
    const row = new Array<number>(size).fill(0);
    if (mode === 'nearest') row[Math.floor((i * size) / to)] = 1;
    else {
      const corners = to > 1 ? (i * (size - 1)) / (to - 1) : 0;
      const position = mode === 'bilinear-corners' ? corners : Math.max(0, ((i + 0.5) * size) / to - 0.5);
      const below = Math.min(Math.floor(position), size - 1);
      row[below]! += 1 - (position - below);
      row[Math.min(below + 1, size - 1)]! += position - below;
    }
    return row;
  });
}

/** Keys' cubic convolution with a = −0.75 and half-pixel centres, edges repeated, as PyTorch's upsample_bicubic2d. */
export function cubicWeights(size: number, to: number): number[][] {
  const a = -0.75;
  const near = (t: number) => ((a + 2) * t - (a + 3)) * t * t + 1;
  const far = (t: number) => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return Array.from({ length: to }, (_, i) => {
    const row = new Array<number>(size).fill(0);
    const position = ((i + 0.5) * size) / to - 0.5;
    const floor = Math.floor(position);
    const t = position - floor;
    [far(t + 1), near(t), near(1 - t), far(2 - t)].forEach((weight, k) => {
      row[Math.min(size - 1, Math.max(0, floor - 1 + k))]! += weight;
    });
    return row;
  });
}

/** Averages of `parts` parts of an axis as a matrix; see AdaptiveAverageNode. */
export function averages(size: number, parts: number): number[][] {
  return Array.from({ length: parts }, (_, i) => {
    const [from, to] = [Math.floor((i * size) / parts), Math.ceil(((i + 1) * size) / parts)];
    return Array.from({ length: size }, (_, at) => (at >= from && at < to ? 1 / (to - from) : 0));
  });
}

export function transposed(matrix: readonly (readonly number[])[]): number[][] {
  return matrix[0]!.map((_, column) => matrix.map(row => row[column]!));
}
