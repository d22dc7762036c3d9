import { closeSync, openSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { checkTile, sameBytes, sumTile, wholenessOf } from '#src/live/tile-bytes.js';
import { openSlide } from '#src/slide/open.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { scratch } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

function inFile<T>(bytes: Uint8Array, use: (fd: number) => T): T {
  const fd = openSync(files.write('tile', bytes), 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

const [JPEG, J2K, DEFLATE, NONE] = [7, 33_005, 8, 1];
/** A tile of a coding with a begin and an end, somewhere in a file of other bytes. */
const marked = (second: number, length: number): Buffer => {
  const bytes = Buffer.alloc(length, 0x55);
  bytes.set([0xff, second]);
  bytes.set([0xff, 0xd9], length - 2);
  return bytes;
};
const check = (bytes: Buffer, coding: number): string =>
  inFile(Buffer.concat([Buffer.alloc(10, 0xaa), bytes, Buffer.alloc(10, 0xbb)]), fd =>
    checkTile(fd, 10, bytes.length, coding),
  );

describe('checkTile', () => {
  it.each([
    [JPEG, 0xd8],
    [6, 0xd8],
    [J2K, 0x4f],
    [33_003, 0x4f],
    [34_712, 0x4f],
  ])('of coding %i wants its begin and its end, at any length', (coding, second) => {
    for (const length of [4, 63, 64, 65, 128, 1000]) {
      const whole = marked(second, length);
      expect(check(whole, coding), `${length}`).toBe('ready');
      const headless = Buffer.from(whole).fill(0x55, 0, 2);
      const cut = Buffer.from(whole).fill(0x55, length - 2);
      const zeroTail = Buffer.from(whole).fill(0, Math.max(2, length - 70));
      for (const bytes of [headless, cut, zeroTail]) expect(check(bytes, coding), `${length}`).toBe('doubtful');
    }
  });

  it('of other codings wants bytes at the end that are not all zeros', () => {
    for (const coding of [DEFLATE, NONE])
      for (const length of [1, 64, 65, 300]) {
        const whole = Buffer.alloc(length, 9);
        expect(check(whole, coding)).toBe('ready');
        if (length > 64) expect(check(Buffer.from(whole).fill(0, length - 64), coding)).toBe('doubtful');
        if (length > 64) expect(check(Buffer.from(whole).fill(0, length - 63), coding)).toBe('ready');
      }
  });

  it('takes what begins in black, and is stored as it is, for there, and of other codings for room', () => {
    const dark = Buffer.alloc(3 * 2 ** 20);
    dark[2 ** 21 + 5] = 1;
    expect([check(dark, NONE), check(dark, DEFLATE)]).toEqual(['doubtful', 'no']);
  });

  it('takes room that was reserved for no tile, whatever the coding', () => {
    for (const coding of [JPEG, J2K, DEFLATE, NONE])
      for (const length of [0, 1, 64, 500]) expect(check(Buffer.alloc(length), coding)).toBe('no');
  });
});

describe('sameBytes', () => {
  it('compares what two places store, the last byte too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.nat(), fc.boolean(), (tile, at, change) => {
        const other = Buffer.from(tile);
        if (change) other[at % other.length]! ^= 1;
        const same = inFile(Buffer.concat([tile, Buffer.from('between'), other]), fd =>
          sameBytes(fd, [0, tile.length], [tile.length + 7, other.length]),
        );
        expect(same).toBe(!change);
      }),
    );
  });

  it('compares tiles larger than what is read at a time', () => {
    const tile = Buffer.alloc(2 ** 20 + 3, 7);
    const other = Buffer.from(tile);
    const compare = () =>
      inFile(Buffer.concat([tile, other]), fd => sameBytes(fd, [0, tile.length], [tile.length, tile.length]));
    expect(compare()).toBe(true);
    other[2 ** 20 + 2] = 8;
    expect(compare()).toBe(false);
    expect(inFile(tile, fd => sameBytes(fd, [0, 4], [4, 5]))).toBe(false);
  });
});

describe('sumTile', () => {
  const sum = (bytes: Buffer, at: number, length: number) => inFile(bytes, fd => sumTile(fd, at, length));

  it('finds every hole of two blocks, wherever it lies, and none that is smaller than one', () => {
    fc.assert(
      fc.property(
        fc.nat(3000),
        fc.integer({ min: 9000, max: 20_000 }),
        fc.nat(),
        fc.boolean(),
        (at, length, from, big) => {
          const bytes = Buffer.alloc(at + length, 5);
          const hole = big ? 4096 : 2047;
          const start = at + (from % (length - hole));
          bytes.fill(0, start, start + hole);
          expect(sum(bytes, at, length).hasHole).toBe(big);
        },
      ),
    );
  });

  it('tells two tiles apart by any byte, of a very large one by many', () => {
    const small = Buffer.alloc(5000, 1);
    const large = Buffer.alloc(2 ** 22 + 9, 1);
    for (const bytes of [small, large]) {
      const before = sum(bytes, 0, bytes.length);
      bytes[bytes === small ? 4999 : 2 ** 21 + 7] = 2;
      expect(sum(bytes, 0, bytes.length).crc).not.toBe(before.crc);
    }
    expect(sum(large.fill(0, 2 ** 20, 2 ** 21), 0, large.length).hasHole).toBe(true);
  });
});

describe('wholenessOf', () => {
  const fine = { picture: gradient(128, 128), tile: [64, 64], compression: 'jpeg', resolution: 20_000 } as const;
  const small: PageOptions = { ...fine, picture: gradient(64, 64), subfileType: 1 };
  const raw: PageOptions = { ...fine, picture: gradient(512, 256), tile: [256, 256], compression: 'none' };
  const second = (change: (bytes: Buffer) => Buffer) => (bytes: Buffer, col: number) =>
    col === 1 ? change(bytes) : bytes;
  const zeros = second(bytes => Buffer.alloc(bytes.length));

  it.each<[string, string[], PageOptions[]]>([
    ['all are there', [], [fine, small]],
    ['one has no bytes', ['unlisted'], [{ ...fine, missing: (col, row) => col === 1 && row === 1 }, small]],
    ['a level has none', ['unlisted'], [fine, { ...small, missing: () => true }]],
    ['coded ones are zeros', ['absent'], [{ ...fine, damage: zeros }]],
    ['one was reserved and never written', ['blank'], [{ ...raw, damage: zeros }]],
    ['some are damaged', ['doubtful'], [{ ...fine, damage: bytes => Buffer.alloc(bytes.length, 3) }]],
    [
      'the middle of one is a hole',
      ['doubtful'],
      [{ ...raw, damage: second(b => Buffer.from(b).fill(0, 60_000, 140_000)) }],
    ],
  ])('when %s', async (_, kinds, pages) => {
    const path = files.write('slide.tiff', writeTiff(pages));
    const found = await wholenessOf((await openSlide(path, { growing: true })).source as TiffDescription);
    expect(Object.entries(found).flatMap(([kind, is]) => (is ? [kind] : []))).toEqual(kinds);
  });

  it('of a file that ends before its last tile lacks that', async () => {
    const path = files.write('slide.tiff', writeTiff([raw]));
    const slide = await openSlide(path, { growing: true });
    files.write('slide.tiff', writeTiff([raw]).subarray(0, 300_000));
    expect((await wholenessOf(slide.source as TiffDescription)).absent).toBe(true);
  });
});
