/** How the mask is shown. */
export interface MaskStyle {
  readonly shape: 'fill' | 'outline' | 'none' | 'probability';
  /** #rrggbb */
  readonly colour: string;
  readonly opacity: number;
  /** Of probabilities: from where on they are shown in full, 0–1. */
  readonly threshold: number;
}

/** A part of a square tile, in its pixels. */
export interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Paints a part of a mask, of `side` × `side` values 0 or 1: in the colour where it is, and nothing where it is not. */
export function paintMask(
  pixels: Uint32Array,
  mask: Uint8Array,
  side: number,
  { left, top, width, height }: Part,
  { shape, colour }: MaskStyle,
): void {
  const [r, g, b] = [1, 3, 5].map(at => Number.parseInt(colour.slice(at, at + 2), 16)) as [number, number, number];
  const ink = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const at = (top + y) * side + left + x;
      if (mask[at] === 1 && (shape === 'fill' || isEdge(mask, side, left + x, top + y))) pixels[i] = ink;
    }
}

/** Paints probabilities: 0 where none is known, else 255 p and 1 at least. */
export function paintProbabilities(pixels: Uint32Array, values: Uint8Array, threshold: number): void {
  const inks = inksOf(threshold);
  for (let i = 0; i < pixels.length; i++) pixels[i] = inks[values[i]!]!;
}

/** Below the threshold they are shown faintly: what is known and low is not what is not known. */
const FAINT = 64;

/** Dark blue over grey to yellow, told apart by everybody (after the ends and middle of cividis), as pixels of a canvas; 0 is not known. */
function inksOf(threshold: number): Uint32Array {
  const ends = [
    [0, 34, 78],
    [124, 123, 120],
    [254, 232, 56],
  ] as const;
  const inks = new Uint32Array(256);
  for (let value = 1; value < 256; value++) {
    const at = (value / 255) * 2;
    const [low, high] = at < 1 ? [ends[0], ends[1]] : [ends[1], ends[2]];
    const [r, g, b] = [0, 1, 2].map(i => Math.round(low[i]! + (high[i]! - low[i]!) * (at < 1 ? at : at - 1)));
    const alpha = value > threshold * 255 ? 255 : FAINT;
    inks[value] = ((alpha << 24) | (b! << 16) | (g! << 8) | r!) >>> 0;
  }
  return inks;
}

/** Whether a pixel of a mask is one of the two next to what is not mask; past the tile it goes on as it is. */
function isEdge(mask: Uint8Array, side: number, x: number, y: number): boolean {
  for (let d = 1; d <= 2; d++) {
    if (x >= d && mask[y * side + x - d] === 0) return true;
    if (x + d < side && mask[y * side + x + d] === 0) return true;
    if (y >= d && mask[(y - d) * side + x] === 0) return true;
    if (y + d < side && mask[(y + d) * side + x] === 0) return true;
  }
  return false;
}
