import { type ProbedDirectory, readBytes, type TiffProbe } from '../slide/tiff/probe.js';

/** One entry of a TIFF directory, its values in little-endian order. */
export interface TiffTag {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Bytes that are swapped together, and how many of them make a value (TIFF 6.0 p. 15; BigTIFF). */
const UNITS: Readonly<Record<number, readonly [unit: number, times: number]>> = {
  1: [1, 1],
  2: [1, 1],
  3: [2, 1],
  4: [4, 1],
  5: [4, 2],
  6: [1, 1],
  7: [1, 1],
  8: [2, 1],
  9: [4, 1],
  10: [4, 2],
  11: [4, 1],
  12: [8, 1],
  13: [4, 1],
  16: [8, 1],
  17: [8, 1],
  18: [8, 1],
};

/** Where pixels and other directories lie: true of the source file only. */
const POINTERS = new Set([273, 279, 288, 289, 324, 325, 330, 34665, 34853, 40965]);

/** Everything a directory says that stays true in another file. */
export function readTags(probe: TiffProbe, directory: ProbedDirectory): TiffTag[] {
  return [...directory.entries]
    .filter(([tag]) => !POINTERS.has(tag))
    .map(([tag, { type, count, offset }]) => {
      const [unit, times] = UNITS[type]!;
      const bytes = readBytes(probe.fd, offset, count * unit * times);
      if (!probe.littleEndian && unit === 2) bytes.swap16();
      if (!probe.littleEndian && unit === 4) bytes.swap32();
      if (!probe.littleEndian && unit === 8) bytes.swap64();
      return { tag, type, count, bytes };
    });
}
