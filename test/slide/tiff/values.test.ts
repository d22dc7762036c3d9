import { closeSync, openSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { probeTiff, readNumbers } from '#src/slide/tiff/probe.js';
import { TiffValues } from '#src/slide/tiff/values.js';
import { failureOf, scratch } from '../fixture.js';
import { type FileOptions, gradient, type PageOptions, writeTiff } from '../tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const BYTE = 1;
const ASCII = 2;
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const UNDEFINED = 7;
const DOUBLE = 12;
const TAG = 65_000;

type Entry = NonNullable<PageOptions['extra']>[number];

/** The values of a file's first directory that has this entry besides what an image needs. */
async function valuesOf<T>(
  entry: Entry | undefined,
  use: (values: TiffValues) => T,
  options: FileOptions = {},
): Promise<T> {
  const extra = entry ? [entry] : [];
  const path = files.write('values.tif', writeTiff([{ picture: gradient(4, 4), extra }], options));
  const fd = openSync(path, 'r');
  try {
    const probe = probeTiff(fd, path, statSync(path).size);
    return use(new TiffValues(probe, probe.directories[0]!));
  } finally {
    closeSync(fd);
  }
}

const order = fc.record({ big: fc.boolean(), bigEndian: fc.boolean() });

describe('TiffValues', () => {
  it.each([
    ['BYTE', BYTE, 255],
    ['SHORT', SHORT, 65_535],
    ['LONG', LONG, 4_294_967_295],
  ])('reads whole numbers of type %s in either byte order, inside the entry and outside', async (_, type, max) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 12 }),
        order,
        fc.nat({ max: 14 }),
        async (list, options, most) => {
          await valuesOf(
            [TAG, type, type === BYTE ? Buffer.from(list) : list],
            values => {
              expect(values.integers(TAG, most)).toEqual(list.slice(0, most));
              expect(values.integer(TAG)).toBe(list[0]);
            },
            options,
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each<[string, Entry | undefined]>([
    ['absent', undefined],
    ['a text', [TAG, ASCII, Buffer.from('12\0')]],
    ['without a type for numbers', [TAG, UNDEFINED, Buffer.of(1, 2)]],
    ['a double', [TAG, DOUBLE, Buffer.alloc(8, 1)]],
  ])('finds no whole number in a tag that is %s', async (_, entry) => {
    await valuesOf(entry, values => {
      expect(values.integers(TAG, 16)).toEqual([]);
      expect(values.integer(TAG)).toBeUndefined();
      expect(values.ratio(TAG)).toBeUndefined();
    });
  });

  const words = (...numbers: readonly number[]) => Buffer.from(Uint32Array.from(numbers).buffer);
  it.each<[string, readonly number[], number | undefined]>([
    ['3 / 4', [3, 4], 0.75],
    ['(2³² − 1) / 1', [4_294_967_295, 1], 4_294_967_295],
    ['0 / 5', [0, 5], undefined],
    ['5 / 0', [5, 0], undefined],
    ['0 / 0', [0, 0], undefined],
  ])('reads %s as a ratio that is above 0, or as none', async (_, numbers, expected) => {
    await valuesOf([TAG, RATIONAL, words(...numbers)], values => expect(values.ratio(TAG)).toBe(expected));
  });

  it('takes a ratio of another type as absent', async () => {
    await valuesOf([TAG, LONG, [3, 4]], values => expect(values.ratio(TAG)).toBeUndefined());
  });

  it('reads text as UTF-8 without the zeros behind it, cut where it is asked to', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
        fc.nat({ max: 3 }),
        order,
        async (text, zeros, options) => {
          const wanted = text.replace(/\0+$/, '');
          const bytes = Buffer.concat([Buffer.from(text), Buffer.alloc(zeros)]);
          await valuesOf(
            [TAG, ASCII, bytes],
            values => {
              expect(values.text(TAG, 1000)).toBe(wanted);
              expect(values.text(TAG, 0)).toBe('');
            },
            options,
          );
        },
      ),
      { numRuns: 60 },
    );
    await valuesOf([TAG, ASCII, Buffer.from('microscope\0')], values => expect(values.text(TAG, 5)).toBe('micro'));
  });

  it('takes text of another type as none, and its bytes as they are', async () => {
    await valuesOf([TAG, BYTE, Buffer.from('text!')], values => {
      expect(values.text(TAG, 10)).toBe('');
      expect(values.bytes(TAG, 10)).toEqual(Buffer.from('text!'));
      expect(values.bytes(TAG, 2)).toEqual(Buffer.from('te'));
    });
    await valuesOf([TAG, SHORT, [1, 2]], values => expect(values.bytes(TAG, 10)).toBeUndefined());
  });
});

describe('readNumbers', () => {
  it('refuses an array of a type that is no offset', async () => {
    const path = files.write('offsets.tif', writeTiff([{ picture: gradient(4, 4) }]));
    const fd = openSync(path, 'r');
    try {
      const probe = probeTiff(fd, path, statSync(path).size);
      const failure = await failureOf(() => readNumbers(probe, { type: DOUBLE, count: 1, offset: 0 }));
      expect([failure.code, failure.message]).toEqual(['SLIDE_UNREADABLE', `${path}: an array of offsets has type 12`]);
    } finally {
      closeSync(fd);
    }
  });

  it('reads 64-bit offsets beyond 2^32 in either byte order', async () => {
    for (const littleEndian of [true, false]) {
      const bytes = Buffer.alloc(16);
      const write = (value: bigint, at: number) =>
        littleEndian ? bytes.writeBigUInt64LE(value, at) : bytes.writeBigUInt64BE(value, at);
      write(2n ** 40n + 3n, 0);
      write(5n, 8);
      const path = files.write('long.bin', bytes);
      const fd = openSync(path, 'r');
      try {
        const probe = { fd, path, size: 16, littleEndian, big: true };
        expect([...readNumbers(probe, { type: 16, count: 2, offset: 0 })]).toEqual([2 ** 40 + 3, 5]);
      } finally {
        closeSync(fd);
      }
    }
  });
});
