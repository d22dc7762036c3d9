/** A direction in the space of optical densities, or a density itself. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Optical density of each byte, −log10(v / 255), with 0 counted as 1. */
export const DENSITY = Float64Array.from({ length: 256 }, (_, value) => -Math.log10(Math.max(1, value) / 255));

/** The same direction, of length 1. */
export function unit([r, g, b]: Colour): Colour {
  const length = Math.hypot(r, g, b);
  return [r / length, g / length, b / length];
}
