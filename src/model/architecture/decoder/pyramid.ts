import type { GraphBuilder } from '../../graph/builder.js';
import type { Bilinear, Value } from '../../graph/graph.js';
import { convNormRelu, NO_NORM, type Norm } from './norm.js';

/** Sides of the pooled maps. */
export const POOL_SIDES = [1, 2, 3, 6] as const;

export interface PyramidOptions {
  /** Channels of each pooled map. */
  readonly out: number;
  /** Of each pooled map. */
  readonly norm: (side: number) => Norm;
  readonly mode: Bilinear;
  /** Name of a pooled map's convolution, from its place. */
  readonly name: (place: number) => string;
}

/**
 * Pyramid pooling (Zhao et al. 2016, arXiv:1612.01105): averages of the whole map, of its quarters, of ninths and of 36 parts, each
 * mixed by a 1 × 1 convolution and enlarged to the map's size again. What stands in a part depends on the patch's size.
 */
export function pyramidPooling(g: GraphBuilder, x: Value, { out, norm, mode, name }: PyramidOptions): Value[] {
  return POOL_SIDES.map((side, place) => {
    const pooled = g.adaptiveAverage(x, side);
    return g.resize(convNormRelu(g, pooled, name(place), { out, kernel: 1, norm: norm(side) }), x, mode);
  });
}

/** A 1 × 1 map has no spread to normalise by. */
export const normExceptOfOne =
  (norm: Norm) =>
  (side: number): Norm =>
    side === 1 ? NO_NORM : norm;
