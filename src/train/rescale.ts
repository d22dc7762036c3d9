import { clampByte, type Window } from './window.js';

/** What labels say of a pixel that takes no part. */
export const IGNORED_LABEL = 255;

/**
 * Draws the middle of a picture at another scale: pixel (i, j) of the result is centred on pixel c + (i + ½ − side ÷ 2) × scale of the
 * source along each axis, c being the source's middle. Colours bilinear, zero where the source's window ends.
 * @param from a square of window.stride pixels
 * @param into side × side × 3 bytes
 */
export function rescaleImage(from: Window, into: Uint8Array, side: number, scale: number): void {
  const { pixels, stride, left, top, right, bottom } = from;
  if (scale === 1 && (stride - side) % 2 === 0) {
    crop(from, into, side);
    return;
  }
  const places = Array.from({ length: side }, (_, i) => stride / 2 + (i + 0.5 - side / 2) * scale);
  for (let j = 0; j < side; j++) {
    const y = places[j]!;
    for (let i = 0; i < side; i++) {
      const x = places[i]!;
      const to = (j * side + i) * 3;
      if (x < left || x >= right || y < top || y >= bottom) {
        into.fill(0, to, to + 3);
        continue;
      }
      const [x0, x1, fx] = neighbours(x, left, right);
      const [y0, y1, fy] = neighbours(y, top, bottom);
      for (let c = 0; c < 3; c++) {
        const upper = pixels[(y0 * stride + x0) * 3 + c]! * (1 - fx) + pixels[(y0 * stride + x1) * 3 + c]! * fx;
        const lower = pixels[(y1 * stride + x0) * 3 + c]! * (1 - fx) + pixels[(y1 * stride + x1) * 3 + c]! * fx;
        into[to + c] = clampByte(upper * (1 - fy) + lower * fy);
      }
    }
  }
}

/** The middle as it is. */
function crop({ pixels, stride }: Window, into: Uint8Array, side: number): void {
  const first = (stride - side) / 2;
  for (let y = 0; y < side; y++) {
    const at = ((first + y) * stride + first) * 3;
    into.set(pixels.subarray(at, at + side * 3), y * side * 3);
  }
}

/** The same for labels: nearest, never blended; what lies outside of the source is ignored. */
export function rescaleLabels(from: Uint8Array, into: Uint8Array, side: number, scale: number): void {
  if (scale === 1) {
    into.set(from);
    return;
  }
  for (let j = 0; j < side; j++) {
    const y = Math.floor(side / 2 + (j + 0.5 - side / 2) * scale);
    for (let i = 0; i < side; i++) {
      const x = Math.floor(side / 2 + (i + 0.5 - side / 2) * scale);
      const inside = x >= 0 && y >= 0 && x < side && y < side;
      into[j * side + i] = inside ? from[y * side + x]! : IGNORED_LABEL;
    }
  }
}

/** The two pixels whose centres enclose a place, and how far it is towards the second. */
function neighbours(place: number, from: number, to: number): [number, number, number] {
  const at = Math.min(to - 1, Math.max(from, place - 0.5));
  const first = Math.floor(at);
  return [first, Math.min(to - 1, first + 1), at - first];
}
