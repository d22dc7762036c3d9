import { disjoint, type PixelRectangle } from '../rectangles.js';

/**
 * Side of the squares by which it is told where nothing is: OpenSlide leaves seams of a pixel between the tiles of some formats, which are
 * no gaps.
 */
const SQUARE = 8;

/**
 * Pre-multiplied ARGB over white to RGB.
 *
 * @param into rows of `stride` bytes.
 * @returns where all of a square is transparent, because the slide stores nothing there: rectangles that do not overlap.
 */
export function overWhite(
  argb: Uint32Array,
  width: number,
  height: number,
  into: Uint8Array,
  stride: number,
): PixelRectangle[] {
  let transparent = 0;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, to = y * stride; x < width; x++, at++, to += 3) {
      const pixel = argb[at] as number;
      const alpha = pixel >>> 24;
      const white = 255 - alpha;
      if (alpha === 0) transparent += 1;
      into[to] = ((pixel >>> 16) & 255) + white;
      into[to + 1] = ((pixel >>> 8) & 255) + white;
      into[to + 2] = (pixel & 255) + white;
    }
  }
  if (transparent === 0) return [];
  if (transparent === width * height) return [{ x: 0, y: 0, width, height }];
  return disjoint(emptySquares(argb, width, height), width, height);
}

function emptySquares(argb: Uint32Array, width: number, height: number): PixelRectangle[] {
  const squares: PixelRectangle[] = [];
  for (let y = 0; y < height; y += SQUARE) {
    const bottom = Math.min(height, y + SQUARE);
    for (let x = 0; x < width; x += SQUARE) {
      const right = Math.min(width, x + SQUARE);
      if (!isEmpty(argb, width, x, y, right, bottom)) continue;
      const last = squares.at(-1);
      if (last && last.y === y && last.x + last.width === x)
        squares[squares.length - 1] = { ...last, width: right - last.x };
      else squares.push({ x, y, width: right - x, height: bottom - y });
    }
  }
  return squares;
}

function isEmpty(argb: Uint32Array, stride: number, left: number, top: number, right: number, bottom: number): boolean {
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) if ((argb[y * stride + x] as number) >>> 24 !== 0) return false;
  return true;
}
