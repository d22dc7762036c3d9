import { closeSync, fstatSync, openSync } from 'node:fs';
import { endsWithEoi } from '../slide/jpeg-stream.js';
import type { TiffDescription } from '../slide/tiff-description.js';
import { readBytes } from '../slide/tiff-probe.js';

/** 'no': its bytes are not there. 'doubtful': there is something, which does not look whole. */
export type TileCheck = 'ready' | 'doubtful' | 'no';

/** Bytes looked at from either end of a tile. */
const EDGE = 64;
/** Compared at a time: a length is what the file claims. */
const PIECE = 2 ** 20;

const JPEG = new Set([6, 7]);
const JPEG_2000 = new Set([33003, 33004, 33005, 34712]);

/**
 * Looks whether a tile's bytes have arrived, without decoding it: a reserved or half-copied file reads as zeros where they
 * have not. JPEG and JPEG 2000 have a begin and an end to check; of other codings the last bytes must not all be zero.
 */
export function checkTile(fd: number, offset: number, length: number, compression: number): TileCheck {
  const head = readBytes(fd, offset, Math.min(EDGE, length));
  const tail = length > EDGE ? readBytes(fd, offset + length - EDGE, EDGE) : head;
  if (head.every(isZero)) return 'no';
  if (JPEG.has(compression)) return begins(head, 0xd8) && endsWithEoi(tail) ? 'ready' : 'doubtful';
  if (JPEG_2000.has(compression)) return begins(head, 0x4f) && endsWithEoi(tail) ? 'ready' : 'doubtful';
  return tail.every(isZero) ? 'doubtful' : 'ready';
}

/** True when two tiles are stored as the same bytes. */
export function sameBytes(fd: number, one: readonly [number, number], other: readonly [number, number]): boolean {
  if (one[1] !== other[1]) return false;
  for (let at = 0; at < one[1]; at += PIECE) {
    const length = Math.min(PIECE, one[1] - at);
    if (!readBytes(fd, one[0] + at, length).equals(readBytes(fd, other[0] + at, length))) return false;
  }
  return true;
}

/** True when a directory lists tiles that are not there, in any of its levels. */
export function lacksTiles({ path, levels }: TiffDescription): boolean {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    return levels.some(({ offsets, byteCounts, compression }) =>
      byteCounts.some((length, tile) => {
        const offset = offsets[tile]!;
        if (length === 0 || offset === 0 || offset + length > size) return true;
        return checkTile(fd, offset, length, compression) === 'no';
      }),
    );
  } finally {
    closeSync(fd);
  }
}

const isZero = (byte: number): boolean => byte === 0;
const begins = (head: Buffer, marker: number): boolean => head[0] === 0xff && head[1] === marker;
