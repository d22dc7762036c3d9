import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clearOutside,
  cropMask,
  overlap,
  packBits,
  popcount,
  rowBytes,
  toCoreMask,
  unpackBits,
} from '#src/mask/bits.js';
import type { PatchPlan, PatchRef } from '#src/read/patch.js';
import { count, fromFunction, get, maskBytes, pixels } from './naive.js';

const sized = fc
  .tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 40 }))
  .chain(([width, height]) => maskBytes(width, height).map(bytes => ({ width, height, bytes })));

describe('1-bit masks', () => {
  it('pack and unpack without loss, with unused bits of a row 0', () => {
    fc.assert(
      fc.property(sized, ({ width, height, bytes }) => {
        const bits = packBits(bytes, width, height);
        expect(bits.length).toBe(rowBytes(width) * height);
        expect(unpackBits(bits, width, height)).toEqual(bytes);
        for (const [x, y] of pixels(width, height)) expect(get(bits, width, x, y)).toBe(bytes[y * width + x]);
        expect(popcount(bits)).toBe(bytes.reduce((a, b) => a + b, 0));
      }),
    );
  });

  it('put the first pixel into the most significant bit', () => {
    expect(packBits(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 1), 10, 1)).toEqual(Uint8Array.of(0x80, 0x40));
  });

  it('count unaligned views as they count aligned ones', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 3 }), (bytes, offset) => {
        const shifted = new Uint8Array(bytes.length + offset);
        shifted.set(bytes, offset);
        expect(popcount(shifted.subarray(offset))).toBe(count(bytes, bytes.length * 8, 1));
      }),
    );
  });

  it('count intersection and union', () => {
    const pair = fc.integer({ min: 1, max: 90 }).chain(n => fc.tuple(maskBytes(n, 9), maskBytes(n, 9), fc.constant(n)));
    fc.assert(
      fc.property(pair, ([a, b, n]) => {
        const result = overlap(packBits(a, n, 9), packBits(b, n, 9));
        expect(result.intersection).toBe(a.filter((v, i) => v && b[i]).length);
        expect(result.union).toBe(a.filter((v, i) => v || b[i]).length);
      }),
    );
    expect(() => overlap(new Uint8Array(3), new Uint8Array(4))).toThrow(RangeError);
  });

  it('crop any margin, on byte borders or not', () => {
    const cropped = fc
      .tuple(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 0, max: 39 }))
      .filter(([side, margin]) => side > 2 * margin)
      .chain(([side, margin]) => maskBytes(side, side).map(bytes => ({ side, margin, bytes })));
    fc.assert(
      fc.property(cropped, ({ side, margin, bytes }) => {
        const core = side - 2 * margin;
        const expected = fromFunction(core, core, (x, y) => bytes[(y + margin) * side + x + margin] === 1);
        const bits = packBits(bytes, side, side);
        const before = bits.slice();
        expect(cropMask(bits, side, margin)).toEqual(expected);
        expect(bits).toEqual(before);
      }),
    );
    expect(() => cropMask(new Uint8Array(32), 16, 8)).toThrow(RangeError);
    expect(() => cropMask(new Uint8Array(31), 16, 1)).toThrow(RangeError);
  });

  it('clear what is outside, and nothing else', () => {
    const clipped = sized.chain(mask =>
      fc.record({
        mask: fc.constant(mask),
        width: fc.integer({ min: 0, max: mask.width + 9 }),
        height: fc.integer({ min: 0, max: mask.height + 9 }),
      }),
    );
    fc.assert(
      fc.property(clipped, ({ mask, width, height }) => {
        const bits = packBits(mask.bytes, mask.width, mask.height);
        clearOutside(bits, mask.width, width, height);
        const kept = fromFunction(mask.width, mask.height, (x, y) => {
          return x < width && y < height && mask.bytes[y * mask.width + x] === 1;
        });
        expect(bits).toEqual(kept);
      }),
    );
  });
});

describe('the core mask of a patch', () => {
  const plan: PatchPlan = {
    ...{ slide: 's', level: 0, scale: 1, downsample: 1, mpp: 0.5 },
    ...{
      patchSize: 64,
      margin: 5,
      padding: 'zero',
      core: 54,
      cols: 2,
      rows: 2,
      width: 77,
      height: 60,
      slideWidth: 77,
      slideHeight: 60,
    },
  };
  const ref = (col: number, row: number): PatchRef => ({
    ...{ slide: 's', level: 0, col, row },
    ...{ x: col * 54, y: row * 54, width: col ? 23 : 54, height: row ? 6 : 54 },
  });

  it('crops the margin, clears padding and counts what is left', () => {
    const full = new Uint8Array(64 * 8).fill(0xff);
    expect(toCoreMask(full, plan, ref(0, 0)).stromaPixels).toBe(54 * 54);
    const corner = toCoreMask(full, plan, ref(1, 1));
    expect(corner).toMatchObject({ side: 54, stromaPixels: 23 * 6 });
    expect(corner.bits).toEqual(fromFunction(54, 54, (x, y) => x < 23 && y < 6));
    expect(count(corner.bits, 54, 54)).toBe(corner.stromaPixels);
  });

  it('never hands out the input itself', () => {
    const bits = new Uint8Array(64 * 8).fill(0xff);
    const mask = toCoreMask(bits, { ...plan, margin: 0, core: 64 }, ref(0, 0));
    mask.bits.fill(0);
    expect(bits.every(byte => byte === 0xff)).toBe(true);
  });
});
