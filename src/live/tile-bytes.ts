import { closeSync, fstatSync, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { endsWithEoi } from '../codec/jpeg/jpeg-stream.js';
import { COMPRESSION } from '../codec/tile-coding.js';
import type { TiffDescription } from '../slide/tiff/description.js';
import { readBytes } from '../slide/tiff/probe.js';
import { isUnwritten } from '../slide/unwritten.js';

/** 'no': its bytes are not there. 'doubtful': there is something, which does not look whole. */
export type TileCheck = 'ready' | 'doubtful' | 'no';

/** Bytes looked at from either end of a tile. */
const EDGE = 64;
/** Compared at a time: a length is what the file claims. */
const PIECE = 2 ** 20;
/** A larger tile, of which a strip may be one, is looked at in places. */
const MOST = 2 ** 22;
/** Those places: of a larger tile, and of a file that is not read as a whole. */
const PLACE = 4096;
const STEP = 2 ** 16;
/** Room that was reserved reads as zeros from one block of the file to another. */
const BLOCK = 2048;
const ZEROS = Buffer.alloc(BLOCK);
/** Longest time in which nothing else has a turn. */
const TURN_MS = 8;

const JPEG = new Set([6, 7]);
const JPEG_2000 = new Set([33003, 33004, 33005, 34712]);

/**
 * Looks whether a tile's bytes have arrived, without decoding it: a reserved or half-copied file reads as zeros where they
 * have not. JPEG and JPEG 2000 have a begin and an end to check; of other codings the last bytes must not all be zero. What is stored as
 * it is may begin in black: it is not there when all of it is zero.
 */
export function checkTile(fd: number, offset: number, length: number, compression: number): TileCheck {
  const head = readBytes(fd, offset, Math.min(EDGE, length));
  const tail = length > EDGE ? readBytes(fd, offset + length - EDGE, EDGE) : head;
  if (head.every(isZero))
    return compression === COMPRESSION.none && !isZeroThroughout(fd, offset, length) ? 'doubtful' : 'no';
  if (JPEG.has(compression)) return begins(head, 0xd8) && endsWithEoi(tail) ? 'ready' : 'doubtful';
  if (JPEG_2000.has(compression)) return begins(head, 0x4f) && endsWithEoi(tail) ? 'ready' : 'doubtful';
  return tail.every(isZero) ? 'doubtful' : 'ready';
}

function isZeroThroughout(fd: number, offset: number, length: number): boolean {
  for (let at = offset; at < offset + length; at += PIECE)
    if (!isUnwritten(readBytes(fd, at, Math.min(PIECE, offset + length - at)))) return false;
  return true;
}

/** What a tile holds, as one number, and whether a block of it reads as zeros. */
export interface TileSum {
  readonly crc: number;
  readonly hasHole: boolean;
}

/**
 * Reads a tile's bytes, of one of more than 4 MiB a part. A copy that writes a file's pieces in any order leaves holes between
 * the begin and the end of a tile; in compressed pixels no block of zeros is long enough, in others it is black.
 */
export function sumTile(fd: number, offset: number, length: number): TileSum {
  const [piece, step] = length > MOST ? [PLACE, STEP] : [PIECE, PIECE];
  let crc = 0;
  let hasHole = false;
  for (let at = offset; at < offset + length; at += step) {
    const bytes = readBytes(fd, at, Math.min(piece, offset + length - at));
    crc = crc32(bytes, crc);
    hasHole ||= holdsHole(bytes, at);
  }
  return { crc, hasHole };
}

/** @param at where the bytes stand in their file. */
function holdsHole(bytes: Buffer, at: number): boolean {
  for (let block = (BLOCK - (at % BLOCK)) % BLOCK; block + BLOCK <= bytes.length; block += BLOCK)
    if (bytes[block] === 0 && bytes.compare(ZEROS, 0, BLOCK, block, block + BLOCK) === 0) return true;
  return false;
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

/** What a directory's tiles look like, in all its levels: each says that there are some of the kind. */
export interface Wholeness {
  /** Not stored, or not yet: they have no bytes in the directory. */
  unlisted: boolean;
  /** Listed, and not there: beyond the end, or zeros where pixels are coded. */
  absent: boolean;
  /** Zeros where pixels are stored as they are: room that was reserved. */
  blank: boolean;
  /** There, and not as their coding wants. */
  doubtful: boolean;
}

/** Looks at both ends of each tile that a directory lists, and in places between. */
export async function wholenessOf({ path, levels }: TiffDescription): Promise<Wholeness> {
  const found: Wholeness = { unlisted: false, absent: false, blank: false, doubtful: false };
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    let turn = performance.now();
    for (const { offsets, byteCounts, compression } of levels)
      for (const [tile, length] of byteCounts.entries()) {
        const kind = kindOf(fd, size, offsets[tile]!, length, compression);
        if (kind !== 'ready') found[kind] = true;
        // It is not to be opened as a whole, whatever the others are.
        if (found.absent) return found;
        if (performance.now() - turn < TURN_MS) continue;
        await setImmediate();
        turn = performance.now();
      }
    return found;
  } finally {
    closeSync(fd);
  }
}

function kindOf(fd: number, size: number, offset: number, length: number, coding: number): keyof Wholeness | 'ready' {
  if (length === 0 || offset === 0) return 'unlisted';
  if (offset + length > size) return 'absent';
  const check = checkTile(fd, offset, length, coding);
  if (check === 'no') return coding === COMPRESSION.none ? 'blank' : 'absent';
  return check === 'doubtful' || hasEmptyPlace(fd, offset, length) ? 'doubtful' : 'ready';
}

/** Between the ends of a large tile. */
function hasEmptyPlace(fd: number, offset: number, length: number): boolean {
  for (let at = offset + STEP; at + BLOCK <= offset + length; at += STEP)
    if (readBytes(fd, at, BLOCK).equals(ZEROS)) return true;
  return false;
}

const isZero = (byte: number): boolean => byte === 0;
const begins = (head: Buffer, marker: number): boolean => head[0] === 0xff && head[1] === marker;
