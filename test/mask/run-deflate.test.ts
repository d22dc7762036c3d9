import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunDeflate } from '#src/mask/run-deflate.js';
import { maskBytes, mulberry } from './naive.js';

const deflate = new RunDeflate();
const back = (bytes: Uint8Array): Uint8Array => new Uint8Array(inflateRawSync(deflate.run(bytes)));

describe('RunDeflate', () => {
  it('gives what zlib inflates to the same bytes: runs of any length, of few values and of many, at any address', () => {
    const run = fc.record({
      value: fc.nat(255),
      length: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 250, max: 600 })),
    });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), fc.nat(3), (runs, offset) => {
        const bytes = Uint8Array.from(runs.flatMap(({ value, length }) => new Array<number>(length).fill(value)));
        const placed = new Uint8Array(bytes.length + 4).subarray(offset, offset + bytes.length);
        placed.set(bytes);
        expect(back(placed)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('takes noise, nothing, one byte, and values whose counts differ so much that codes would be too long', () => {
    const random = mulberry(4);
    const counts = Array.from({ length: 26 }, (_, i) => Math.round(1.6 ** i));
    const skewed = counts.flatMap((count, value) => new Array<number>(Math.min(count, 40_000)).fill(value));
    const shuffled = Uint8Array.from(skewed).sort(() => random() - 0.5);
    for (const bytes of [
      Uint8Array.from({ length: 70_000 }, () => random() * 256),
      new Uint8Array(0),
      Uint8Array.of(7),
      new Uint8Array(512 * 512),
      shuffled,
    ])
      expect(Buffer.compare(back(bytes), bytes)).toBe(0);
  });

  it('packs masks as well as zlib does by run lengths', () => {
    fc.assert(
      fc.property(maskBytes(64, 64), bytes => {
        const theirs = deflateRawSync(bytes, { level: 1, strategy: constants.Z_RLE });
        expect(deflate.run(bytes).length).toBeLessThanOrEqual(theirs.length * 1.1 + 30);
      }),
    );
  });
});
