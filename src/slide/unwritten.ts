import type { PixelRectangle } from './rectangles.js';
import type { TileState } from './slide.js';

/**
 * True when there are bytes and every one is zero. Room that a writer reserved reads as such until somebody writes into it, and no scanner's pixels
 * do. Stops at the first byte that is not.
 */
export function isUnwritten(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return bytes.length > 0;
}

/**
 * What is there of a tile whose pixels are stored as they are: 'missing' when all its bytes are zero, and gaps where whole rows are,
 * as in a tile that was being written when its writer broke off. Not to be asked of what a codec decodes to: there black is black.
 *
 * @param stored rows of `stride` bytes, top down; each is looked at up to its first byte that is not zero.
 * @param width of the tile in pixels, by which its gaps are given.
 */
export function rawTileState(stored: Uint8Array, stride: number, rows: number, width: number): TileState {
  const gaps: PixelRectangle[] = [];
  let from = 0;
  for (let row = 0; row <= rows; row++) {
    if (row < rows && isUnwritten(stored.subarray(row * stride, (row + 1) * stride))) continue;
    if (row > from) gaps.push({ x: 0, y: from, width, height: row - from });
    from = row + 1;
  }
  if (gaps[0]?.height === rows) return 'missing';
  return gaps.length > 0 ? { gaps } : 'decoded';
}
