import { createHash } from 'node:crypto';
import { closeSync, openSync, type Stats } from 'node:fs';
import type { LevelGeometry } from '../slide/slide.js';
import { readBytes } from '../slide/tiff/probe.js';

/** Tiles whose bytes are part of a content's name. */
const SAMPLES = 8;
/** Of each; a length is what the file claims. */
const SAMPLE_BYTES = 2 ** 20;

/**
 * What stays the same of a file while it grows: inode, birth time, and the geometry of its finest level. A file that is
 * replaced, copied or restored has another one; the device has another number when a share is mounted again.
 */
export function growthIdentity(stats: Stats, finest: LevelGeometry): string {
  const { ino, birthtimeMs } = stats;
  const { width, height, tileWidth, tileHeight } = finest;
  return hash([ino, Math.trunc(birthtimeMs), width, height, tileWidth, tileHeight].join(' '));
}

/**
 * Names what a TIFF stores of one level: the lengths of all tiles and the bytes of a few, of the one furthest back among them. Does not change when directories
 * or further levels are written behind them.
 */
export function tiffContent(path: string, offsets: Float64Array, byteCounts: Float64Array): string {
  const digest = createHash('sha256').update(Buffer.from(byteCounts.buffer));
  const stored: number[] = [];
  for (let tile = 0; tile < byteCounts.length; tile++) if (byteCounts[tile] !== 0) stored.push(tile);
  const fd = openSync(path, 'r');
  try {
    const samples = Math.min(SAMPLES, stored.length);
    const add = (tile: number): void => {
      digest.update(readBytes(fd, offsets[tile]!, Math.min(SAMPLE_BYTES, byteCounts[tile]!)));
    };
    for (let sample = 0; sample < samples; sample++) add(stored[Math.floor((sample * stored.length) / samples)]!);
    // What a copy that broke off lacks lies at the file's end.
    if (samples > 0) add(stored.reduce((last, tile) => (offsets[tile]! > offsets[last]! ? tile : last)));
  } finally {
    closeSync(fd);
  }
  return digest.digest('hex').slice(0, 32);
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
