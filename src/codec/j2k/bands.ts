import type { PlainHeader } from './plain-header.js';
import { TagTree } from './tag-tree.js';

/** A code-block: where it goes, and what the packets said of it so far. Sizes and places are samples of the plane. */
export interface Block {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Bit-planes that are coded; set with its first passes. */
  planes: number;
  passes: number;
  /** Bits in which lengths are given, less those for the passes. */
  lengthBits: number;
  /** Its bytes: pairs of place in the stream and length. */
  readonly chunks: number[];
}

/** Coefficients of one orientation (0 LL, 1 HL, 2 LH, 3 HH) at one resolution. */
export interface Band {
  readonly orientation: number;
  /** Bit-planes, the most that a block can have. */
  readonly planes: number;
  /** What a coefficient is multiplied with, for the 9-7 transform. */
  readonly step: number;
  readonly blocks: Block[];
  readonly inclusion: TagTree;
  readonly emptyPlanes: TagTree;
}

/** More bit-planes than this do not fit the numbers they are decoded to. */
export const MAX_PLANES = 30;

/** What lengths start with (annex B.10.7.1). */
const LENGTH_BITS = 3;

/** Bands of one component, by resolution. */
export function bandsOf(header: PlainHeader): Band[][] {
  const { levels, width, height, quantisers, guardBits } = header;
  const half = (size: number, level: number) => Math.ceil(size / 2 ** level);
  return Array.from({ length: levels + 1 }, (_, resolution) => {
    const lowWidth = half(width, levels - resolution + (resolution > 0 ? 1 : 0));
    const lowHeight = half(height, levels - resolution + (resolution > 0 ? 1 : 0));
    const band = (orientation: number, index: number): Band => {
      const { exponent, mantissa } = quantisers[index]!;
      const x = orientation & 1 ? lowWidth : 0;
      const y = orientation & 2 ? lowHeight : 0;
      const across = orientation & 1 ? half(width, levels - resolution) - lowWidth : lowWidth;
      const down = orientation & 2 ? half(height, levels - resolution) - lowHeight : lowHeight;
      const cols = down > 0 ? Math.ceil(across / header.blockWidth) : 0;
      const rows = across > 0 ? Math.ceil(down / header.blockHeight) : 0;
      return {
        orientation,
        planes: exponent + guardBits - 1,
        step: (1 + mantissa / 2048) * 2 ** (8 - exponent),
        blocks: blocksOf(header, x, y, across, down, cols, rows),
        inclusion: new TagTree(cols, rows),
        emptyPlanes: new TagTree(cols, rows),
      };
    };
    return resolution === 0 ? [band(0, 0)] : [1, 2, 3].map(i => band(i, 3 * (resolution - 1) + i));
  });
}

function blocksOf(
  { blockWidth, blockHeight }: PlainHeader,
  x: number,
  y: number,
  across: number,
  down: number,
  cols: number,
  rows: number,
): Block[] {
  return Array.from({ length: cols * rows }, (_, i) => {
    const left = (i % cols) * blockWidth;
    const top = Math.floor(i / cols) * blockHeight;
    return {
      x: x + left,
      y: y + top,
      width: Math.min(blockWidth, across - left),
      height: Math.min(blockHeight, down - top),
      planes: 0,
      passes: 0,
      lengthBits: LENGTH_BITS,
      chunks: [],
    };
  });
}

/** Forgets what packets said. */
export function resetBands(resolutions: readonly Band[][]): void {
  for (const bands of resolutions)
    for (const { blocks, inclusion, emptyPlanes } of bands) {
      inclusion.reset();
      emptyPlanes.reset();
      for (const block of blocks) {
        block.planes = 0;
        block.passes = 0;
        block.lengthBits = LENGTH_BITS;
        block.chunks.length = 0;
      }
    }
}

/** Whether the bands of two streams are the same, as they are in all tiles of a slide. */
export function sameBands(a: PlainHeader, b: PlainHeader): boolean {
  const keys = ['width', 'height', 'levels', 'blockWidth', 'blockHeight', 'guardBits'] as const;
  return (
    keys.every(key => a[key] === b[key]) &&
    a.chroma.every((step, i) => step === b.chroma[i]) &&
    a.quantisers.every(({ exponent, mantissa }, i) => {
      const other = b.quantisers[i]!;
      return exponent === other.exponent && mantissa === other.mantissa;
    })
  );
}
