import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bfloatToFloat, floatToHalf, halfToFloat } from '#src/model/float16.js';

const half = (bits: number) => halfToFloat(Uint16Array.of(bits))[0]!;
const toHalf = (value: number) => floatToHalf(Float32Array.of(value))[0]!;

describe('binary16', () => {
  test('known values', () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x7c00, 0x8000].map(half)).toEqual([
      1,
      -2,
      65504,
      2 ** -14,
      2 ** -24,
      Number.POSITIVE_INFINITY,
      -0,
    ]);
    expect(half(0x7e00)).toBeNaN();
  });

  test('every pattern survives widening and narrowing', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits).filter(bits => (bits & 0x7fff) <= 0x7c00);
    expect(floatToHalf(halfToFloat(all))).toEqual(all);
  });

  test('narrowing picks the nearest, ties to even', () => {
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), value => {
        const bits = toHalf(value);
        const error = Math.abs(half(bits) - value);
        for (const other of [bits - 1, bits + 1].filter(other => other >= 0 && (other & 0x7fff) < 0x7c00)) {
          const distance = Math.abs(half(other) - value);
          expect(error).toBeLessThanOrEqual(distance);
          if (error === distance) expect(bits % 2).toBe(0);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('what is too large becomes infinity, NaN stays NaN', () => {
    expect(toHalf(65519.9)).toBe(0x7bff);
    expect(toHalf(65520)).toBe(0x7c00);
    expect(toHalf(-1e30)).toBe(0xfc00);
    expect(half(toHalf(Number.NaN))).toBeNaN();
  });
});

test('bfloat16 is the upper half of a float32', () => {
  expect(bfloatToFloat(Uint16Array.of(0x3f80, 0xc000, 0x7f80))).toEqual(
    Float32Array.of(1, -2, Number.POSITIVE_INFINITY),
  );
});
