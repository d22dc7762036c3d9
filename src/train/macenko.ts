import { type Colour, DENSITY, unit } from './density.js';
import type { Window } from './window.js';

/** Densities below this (natural logarithm 0.15 in the paper) are glass. */
const GLASS = 0.15 / Math.LN10;
/** Angles at the first and last hundredth are taken for the stains', so that single pixels do not count. */
const ROBUST = 0.01;
/** Fewer stained pixels tell no stains. */
const LEAST_PIXELS = 256;
/** Stains closer than this, in radians, are one: what lies between them cannot be told apart. */
const LEAST_ANGLE = 0.1;

/**
 * Colours of haematoxylin and eosin of a picture itself (Macenko et al. 2009, "A method for normalizing histology slides for quantitative
 * analysis"): densities are projected on the plane in which they vary most, and the outermost directions there are the stains.
 * @returns undefined where there is too little tissue, or but one stain
 */
export function macenkoStains(window: Window): [Colour, Colour] | undefined {
  const densities = stained(window);
  const count = densities.length / 3;
  if (count < LEAST_PIXELS) return undefined;
  const [first, second] = principal(densities);
  // The first direction points to more density, so that the angles lie around 0.
  const sign = first[0] + first[1] + first[2] < 0 ? -1 : 1;
  const [e1, e2] = [scaled(first, sign), second];
  const angles = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const [r, g, b] = [densities[i * 3]!, densities[i * 3 + 1]!, densities[i * 3 + 2]!];
    angles[i] = Math.atan2(r * e2[0] + g * e2[1] + b * e2[2], r * e1[0] + g * e1[1] + b * e1[2]);
  }
  angles.sort();
  const at = (part: number): number => angles[Math.min(count - 1, Math.floor(part * count))]!;
  const [low, high] = [at(ROBUST), at(1 - ROBUST)];
  if (high - low < LEAST_ANGLE) return undefined;
  const direction = (angle: number): Colour =>
    unit([0, 1, 2].map(c => e1[c]! * Math.cos(angle) + e2[c]! * Math.sin(angle)) as unknown as Colour);
  const [a, b] = [direction(low), direction(high)];
  // Haematoxylin takes more red than eosin does.
  return a[0] > b[0] ? [a, b] : [b, a];
}

function stained({ pixels, stride, left, top, right, bottom }: Window): Float64Array {
  const found = new Float64Array((right - left) * (bottom - top) * 3);
  let end = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left, at = (y * stride + left) * 3; x < right; x++, at += 3) {
      const [r, g, b] = [DENSITY[pixels[at]!]!, DENSITY[pixels[at + 1]!]!, DENSITY[pixels[at + 2]!]!];
      if (r < GLASS || g < GLASS || b < GLASS) continue;
      found[end++] = r;
      found[end++] = g;
      found[end++] = b;
    }
  }
  return found.subarray(0, end);
}

/** The two directions of largest variance: eigenvectors of the covariance, by Jacobi rotations. */
function principal(densities: Float64Array): [Colour, Colour] {
  const count = densities.length / 3;
  const mean = [0, 0, 0];
  for (let i = 0; i < densities.length; i++) mean[i % 3]! += densities[i]! / count;
  const matrix = [0, 1, 2].map(() => [0, 0, 0]);
  for (let i = 0; i < densities.length; i += 3)
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++)
        matrix[a]![b]! += ((densities[i + a]! - mean[a]!) * (densities[i + b]! - mean[b]!)) / count;
  const vectors = [0, 1, 2].map(a => [0, 1, 2].map(b => (a === b ? 1 : 0)));
  for (let sweep = 0; sweep < 16; sweep++) for (const [p, q] of PAIRS) rotate(matrix, vectors, p, q);
  const order = [0, 1, 2].sort((a, b) => matrix[b]![b]! - matrix[a]![a]!);
  const column = (c: number): Colour => [vectors[0]![c]!, vectors[1]![c]!, vectors[2]![c]!];
  return [column(order[0]!), column(order[1]!)];
}

const PAIRS = [
  [0, 1],
  [0, 2],
  [1, 2],
] as const;

/** Makes element (p, q) of a symmetric matrix zero, and turns the vectors along. */
function rotate(matrix: number[][], vectors: number[][], p: number, q: number): void {
  const off = matrix[p]![q]!;
  if (off === 0) return;
  const theta = (matrix[q]![q]! - matrix[p]![p]!) / (2 * off);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (let k = 0; k < 3; k++) {
    const [a, b] = [matrix[k]![p]!, matrix[k]![q]!];
    matrix[k]![p] = c * a - s * b;
    matrix[k]![q] = s * a + c * b;
  }
  for (let k = 0; k < 3; k++) {
    const [a, b] = [matrix[p]![k]!, matrix[q]![k]!];
    matrix[p]![k] = c * a - s * b;
    matrix[q]![k] = s * a + c * b;
    const [v, w] = [vectors[k]![p]!, vectors[k]![q]!];
    vectors[k]![p] = c * v - s * w;
    vectors[k]![q] = s * v + c * w;
  }
}

const scaled = ([r, g, b]: Colour, factor: number): Colour => [r * factor, g * factor, b * factor];
