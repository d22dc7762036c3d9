import { appendFileSync, closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

/** Of 4 × 3 tiles. */
export const page: PageOptions = {
  picture: gradient(200, 130),
  tile: [64, 64],
  compression: 'jpeg',
  resolution: 20_000,
};
const first = (col: number, row: number): boolean => col + row === 0;

/**
 * A growing TIFF whose first tile has not come; `enter` writes its entry as a scanner does, the tile's bytes once more behind.
 *
 * @param write makes the file, and says where.
 */
export function scanInto(write: (bytes: Buffer) => string) {
  const path = write(writeTiff([{ ...page, missing: first }]));
  const whole = writeTiff([page]);
  const bytes = readFileSync(path);
  const listOf = (tag: number, of: Buffer): { at: number; value: number; next: number } => {
    const directory = of.readUInt32LE(4);
    for (let entry = directory + 2; ; entry += 12) {
      if (of.readUInt16LE(entry) !== tag) continue;
      const at = of.readUInt32LE(entry + 8);
      return { at, value: of.readUInt32LE(at), next: of.readUInt32LE(at + 4) };
    }
  };
  const put = (at: number, value: number): void => {
    const fd = openSync(path, 'r+');
    const word = Buffer.alloc(4);
    word.writeUInt32LE(value);
    writeSync(fd, word, 0, 4, at);
    closeSync(fd);
  };
  const [offsets, lengths] = [listOf(324, bytes), listOf(325, bytes)];
  const [from, length] = [listOf(324, whole).value, listOf(325, whole).value];
  const tile = whole.subarray(from, from + length);
  return {
    path,
    tile,
    enter: (stored: Buffer = tile): void => {
      const at = statSync(path).size;
      appendFileSync(path, stored);
      put(lengths.at, stored.length);
      put(offsets.at, at);
    },
    /** The second tile, again at the end of the file. */
    again: (change: (stored: Buffer) => Buffer): void => {
      const stored = change(Buffer.from(bytes.subarray(offsets.next, offsets.next + lengths.next)));
      const at = statSync(path).size;
      appendFileSync(path, stored);
      put(offsets.at + 4, at);
    },
  };
}
