import { closeSync, openSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readTags } from '#src/simulate/tiff-tags.js';
import { probeTiff } from '#src/slide/tiff/probe.js';
import { scratch } from '../slide/fixture.js';
import { type FileOptions, gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

/** Tags of the first directory of a file that is written so, by number. */
function tagsOf(page: PageOptions, options: FileOptions) {
  const path = files.write('a.tiff', writeTiff([page], options));
  const fd = openSync(path, 'r');
  try {
    const probe = probeTiff(fd, path, statSync(path).size);
    const tags = readTags(probe, probe.directories[0]!);
    return new Map(tags.map(({ tag, type, count, bytes }) => [tag, { type, count, bytes: Buffer.from(bytes) }]));
  } finally {
    closeSync(fd);
  }
}

const page = { picture: gradient(48, 40), tile: [16, 16], resolution: 20_000 } as const;
/** Tags of nobody, of every type that holds numbers of two, four and eight bytes, inside an entry and beside it. */
const values = fc.record({
  shorts: fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 5 }),
  longs: fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 5 }),
  text: fc.string({ minLength: 1, maxLength: 12, unit: 'binary-ascii' }),
});

describe('readTags', () => {
  it('has the same little-endian values of a file in either byte order, of either kind', () => {
    fc.assert(
      fc.property(values, ({ shorts, longs, text }) => {
        const extra: NonNullable<PageOptions['extra']> = [
          [60_000, 3, shorts],
          [60_001, 4, longs],
          [60_002, 2, Buffer.from(`${text}\0`, 'latin1')],
          [60_003, 5, longs.length % 2 === 0 ? longs : [...longs, 1]],
          [60_004, 16, longs],
        ];
        const [little, ...others] = [false, true].flatMap(big =>
          [false, true].map(bigEndian => tagsOf({ ...page, extra }, { big, bigEndian })),
        );
        for (const other of others) expect(other).toEqual(little);
        const numbers = (tag: number, width: number) => {
          const { bytes, count } = little!.get(tag)!;
          return Array.from({ length: count }, (_, i) => bytes.readUIntLE(i * width, Math.min(width, 6)));
        };
        expect(numbers(60_000, 2)).toEqual(shorts);
        expect(numbers(60_001, 4)).toEqual(longs);
        expect(numbers(60_004, 8)).toEqual(longs);
        expect(little!.get(60_002)!.bytes.toString('latin1')).toBe(`${text}\0`);
        expect(little!.get(60_003)!.bytes.readUInt32LE(0)).toBe(longs[0]);
      }),
      { numRuns: 25 },
    );
  });

  it('leaves out what says where things lie in the source file, and nothing else', () => {
    const tags = tagsOf({ ...page, children: [{ ...page, picture: gradient(24, 20) }] }, {});
    for (const pointer of [324, 325, 330]) expect(tags.has(pointer), `${pointer}`).toBe(false);
    expect([...tags.keys()].toSorted((a, b) => a - b)).toEqual([
      256, 257, 258, 259, 262, 277, 282, 283, 284, 296, 322, 323,
    ]);
    const { tile: _, ...strips } = page;
    for (const pointer of [273, 279]) expect(tagsOf(strips, {}).has(pointer)).toBe(false);
    expect(tagsOf(strips, {}).has(278)).toBe(true);
  });
});
