import { closeSync, openSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { sampleFile, sampleFileAt } from '#src/slide/file-samples.js';
import { scratch } from './fixture.js';

const files = scratch();
afterAll(() => files.remove());

const sample = (bytes: Buffer): string => sampleFileAt(files.write('slide', bytes));

describe('the sample of a file', () => {
  it('is the same for the same bytes, and another for any other byte or length of a small file', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200_000 }), fc.nat(), (size, at) => {
        const bytes = Buffer.alloc(size, 1);
        const before = sample(bytes);
        expect(sample(Buffer.from(bytes))).toBe(before);
        expect(sample(bytes.subarray(1))).not.toBe(before);
        bytes[at % size] = 2;
        expect(sample(bytes)).not.toBe(before);
      }),
      { numRuns: 40 },
    );
  });

  it('of a large file has its head, its end, and every thirty-second part of it', () => {
    const size = 40 * 2 ** 20 + 17;
    const bytes = Buffer.alloc(size, 1);
    const before = sample(bytes);
    for (const [from, to] of [
      [60_000, 60_001],
      [size - 1, size],
      ...Array.from({ length: 10 }, (_, part) => [
        part * 4 * 2 ** 20 + 99_999,
        part * 4 * 2 ** 20 + 99_999 + Math.ceil(size / 31),
      ]),
    ] as [number, number][]) {
      bytes.fill(2, from, to);
      expect(sample(bytes), `${from}`).not.toBe(before);
      bytes.fill(1, from, to);
    }
  });

  it('of a file that is shorter than it says is what there is', () => {
    const fd = openSync(files.write('short', Buffer.alloc(100, 3)), 'r');
    expect(sampleFile(fd, 10 ** 9)).toMatch(/^[0-9a-f]{16}$/);
    closeSync(fd);
  });
});
