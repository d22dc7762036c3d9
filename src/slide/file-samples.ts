import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readBytes } from './tiff/probe.js';

/** The head says what a file is: directories of most slides that have them in front lie in it. */
const HEAD = 65_536;
/** Pieces behind it, spread evenly, the last at the end. */
const PIECES = 32;
const PIECE = 4096;

/**
 * Names what a file holds by a few of its bytes: its head, its end, and pieces in between. For two contents of one size and
 * one time, which a copy has that sets its time itself: both are all that a share need tell of a file.
 *
 * @param size in bytes.
 * @returns 16 hex digits.
 */
export function sampleFile(fd: number, size: number): string {
  return sampleOf(
    size,
    samplePieces(size).map(({ offset, length }) => readBytes(fd, offset, length)),
  );
}

export type FilePieces = readonly { readonly offset: number; readonly length: number }[];

/** Where those bytes lie in a file of a size, in their order. */
export function samplePieces(size: number): FilePieces {
  const head = { offset: 0, length: Math.min(HEAD, size) };
  const rest = size - HEAD - PIECE;
  if (rest <= PIECES * PIECE) return size > HEAD ? [head, { offset: HEAD, length: size - HEAD }] : [head];
  const places = Array.from({ length: PIECES }, (_, piece) => HEAD + Math.round((piece * rest) / (PIECES - 1)));
  return [head, ...places.map(offset => ({ offset, length: PIECE }))];
}

/** The name, of those bytes. */
export function sampleOf(size: number, pieces: readonly Uint8Array[]): string {
  const digest = createHash('sha256').update(`${size} `);
  for (const piece of pieces) digest.update(piece);
  return digest.digest('hex').slice(0, 16);
}

/** As sampleFile, of a file by its path. @throws the system's error. */
export function sampleFileAt(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return sampleFile(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}
