import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelFrame } from '#src/evaluate/label-source.js';
import { alignMask, type MaskGrid } from '#src/evaluate/mask-alignment.js';

const um = (x: number, y = x) => ({ x, y });
const frameOf = (width: number, height: number, mpp = 0.5): LabelFrame => ({ width, height, spacing: um(mpp) });
const tile = (side: number) => ({ width: side, height: side });
const padded = (size: number, side: number) => Math.ceil(size / side) * side;
/** Picture pixels per mask pixel. */
const factors = (mask: MaskGrid, frame: LabelFrame) => {
  const { scale } = alignMask('m.tif', mask, frame);
  return [1 / scale.x, 1 / scale.y];
};

describe('a mask is laid on its picture', () => {
  const anySize = fc.integer({ min: 600, max: 90_000 });
  const power = fc.constantFrom(1, 2, 4, 8, 16, 32);
  const round = fc.constantFrom(Math.floor, Math.round, Math.ceil);

  it('by its own spacing, exact or padded to whole tiles, whatever its size', () => {
    fc.assert(
      fc.property(
        anySize,
        anySize,
        power,
        round,
        fc.constantFrom(undefined, 128, 256, 512, 1024),
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        (width, height, factor, rounded, side, mpp) => {
          const size = (of: number) => {
            const own = Math.max(1, rounded(of / factor));
            return side === undefined ? own : padded(own, side);
          };
          const mask = {
            ...{ width: size(width), height: size(height), spacing: um(mpp * factor) },
            tile: side === undefined ? undefined : tile(side),
          };
          const [x, y] = factors(mask, frameOf(width, height, mpp));
          expect([x, y]).toEqual([factor, factor]);
        },
      ),
    );
  });

  it('by its size where it states no spacing: divided by a power of two, exact or padded to whole tiles', () => {
    fc.assert(
      fc.property(
        anySize,
        anySize,
        power,
        round,
        fc.constantFrom(128, 256, 512),
        (width, height, factor, rounded, side) => {
          const own = [width, height].map(of => rounded(of / factor)) as [number, number];
          expect(factors({ width: own[0], height: own[1] }, frameOf(width, height))).toEqual([factor, factor]);
          const whole = own.map(size => padded(size, side)) as [number, number];
          // Of one tile alone nobody can tell: the finest that fits is taken.
          fc.pre(whole[0] > side || whole[1] > side);
          const mask = { width: whole[0], height: whole[1], tile: tile(side) };
          const again = alignOrUndefined(mask, frameOf(width, height));
          if (again) expect(again).toEqual([factor, factor]);
          else expect(fitsThird(mask, width, height)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each<[string, MaskGrid, LabelFrame, [number, number]]>([
    ['a third of it', { width: 334, height: 200 }, frameOf(1000, 600), [3, 3]],
    ['twice as fine', { width: 2000, height: 1200 }, frameOf(1000, 600), [0.5, 0.5]],
    ['twice as fine and padded', { width: 2048, height: 1280, tile: tile(256) }, frameOf(1000, 600), [0.5, 0.5]],
    ['of one tile', { width: 512, height: 512, tile: tile(512) }, frameOf(1000, 1000), [2, 2]],
    [
      'a padded sixteenth that is a fifteenth by its size',
      { width: 1024, height: 1024, tile: tile(256), spacing: um(8) },
      frameOf(15_360, 15_360),
      [16, 16],
    ],
    ['rounded in its tags', { width: 500, height: 300, spacing: um(1) }, frameOf(1000, 600, 0.4989), [2, 2]],
    [
      'padded, of nominal spacing',
      { width: 2048, height: 2048, tile: tile(512), spacing: um(1) },
      frameOf(4080, 4080, 0.5054),
      [2, 2],
    ],
    [
      'padded in one axis alone',
      { width: 2040, height: 2048, tile: tile(512), spacing: um(1) },
      frameOf(4080, 4080),
      [2, 2],
    ],
    [
      'padded by more than a tile',
      { width: 8192, height: 8192, tile: tile(512), spacing: um(0.5) },
      frameOf(4080, 4080),
      [1, 1],
    ],
    ['of another spacing an axis', { width: 1000, height: 300, spacing: um(0.5, 1) }, frameOf(1000, 600), [1, 2]],
    [
      'on a picture whose pixels are not square',
      { width: 500, height: 600, spacing: um(1) },
      { ...frameOf(1000, 600), spacing: um(0.5, 1) },
      [2, 1],
    ],
    [
      'resampled to a spacing of its own',
      { width: 505, height: 303, spacing: um(1) },
      frameOf(1000, 600, 0.505),
      [1000 / 505, 600 / 303],
    ],
  ])('that is %s', (_, mask, frame, expected) => {
    const [x, y] = factors(mask, frame);
    expect(x).toBeCloseTo(expected[0], 9);
    expect(y).toBeCloseTo(expected[1], 9);
  });

  it('and covers a part of it where it was cropped: what lies outside is said', () => {
    const cropped = alignMask('m.tif', { width: 512, height: 1024, spacing: um(1) }, frameOf(4096, 2048));
    expect(cropped).toMatchObject({
      scale: um(0.5),
      origin: um(0),
      covered: { x: 0, y: 0, width: 1024, height: 2048 },
    });
    expect(cropped.notes).toEqual([
      expect.stringMatching(
        /^its 512 × 1024 pixels of 1 µm cover the upper left of its picture only; 75\.0 % is unlabelled$/,
      ),
    ]);
    // Half its picture's size at its picture's spacing is a quarter of it, not all of it at half the size.
    const quarter = alignMask('m.tif', { width: 1024, height: 1024, spacing: um(0.5) }, frameOf(2048, 2048));
    expect(quarter).toMatchObject({ scale: um(1), covered: { width: 1024, height: 1024 } });
    for (const whole of [frameOf(4096, 2048), frameOf(4097, 2049)]) {
      const { covered, notes } = alignMask('m.tif', { width: 2048, height: 1024, spacing: um(1) }, whole);
      expect([covered, notes]).toEqual([undefined, []]);
    }
  });

  it('by its size where that is its picture’s and its spacing is another’s, and says so', () => {
    const { scale, notes } = alignMask('m.tif', { width: 1000, height: 600, spacing: um(0.25) }, frameOf(1000, 600));
    expect(scale).toEqual(um(1));
    expect(notes).toEqual([expect.stringMatching(/states 0\.25 µm, not 0\.5 µm: taken by its size$/)]);
  });

  it('or is refused: both sizes and spacings are named, and what to do', () => {
    for (const [mask, sizes] of [
      [{ width: 900, height: 600 }, '900 × 600'],
      [{ width: 1024, height: 1024 }, '1024 × 1024'],
      [{ width: 1280, height: 768, tile: tile(256) }, '1280 × 768'],
      [{ width: 999, height: 600 }, '999 × 600'],
      [{ width: 1001, height: 601 }, '1001 × 601'],
      [{ width: 512, height: 384, tile: tile(512) }, '512 × 384'],
    ] as const) {
      expect(() => alignMask('m.tif', mask, frameOf(1000, 600)), sizes).toThrow(
        expect.objectContaining({
          code: 'LABELS_INVALID',
          message: `m.tif: it has ${sizes} pixels of an unknown spacing, its image 1000 × 600 of 0.5 µm`,
          fix: expect.stringContaining('resolution tags'),
        }),
      );
    }
    // A third exactly, or a padded quarter: nobody can tell.
    expect(() => alignMask('m.tif', { width: 512, height: 512, tile: tile(512) }, frameOf(1536, 1536))).toThrow(
      /its image/,
    );
  });
});

describe('a mask of a slide that states its scanned part', () => {
  const frame: LabelFrame = { ...frameOf(6000, 5000), bounds: { x: 1000, y: 1400, width: 2048, height: 2048 } };

  it('lies on the whole frame', () => {
    for (const mask of [
      { width: 6000, height: 5000 },
      { width: 3000, height: 2500, spacing: um(1) },
    ]) {
      const { origin, covered, notes } = alignMask('m.tif', mask, frame);
      expect([origin, covered, notes]).toEqual([um(0), undefined, []]);
    }
  });

  it('or on the scanned part, when it has its size, or when somebody says so', () => {
    for (const [mask, reading] of [
      [{ width: 2048, height: 2048 }, {}],
      [{ width: 1024, height: 1024, spacing: um(1) }, {}],
      [{ width: 512, height: 512, spacing: um(2) }, { frame: 'bounds' }],
    ] as const) {
      const { origin, covered, notes } = alignMask('m.tif', mask, frame, reading);
      expect([origin.x, origin.y, covered]).toEqual([1000, 1400, frame.bounds]);
      expect(notes).toEqual([expect.stringMatching(/has the size of the scanned part/)]);
    }
    const full = alignMask('m.tif', { width: 1024, height: 1024, spacing: um(1) }, frame, { frame: 'full' });
    expect(full).toMatchObject({ origin: um(0), covered: { x: 0, y: 0, width: 2048, height: 2048 } });
    const part = alignMask('m.tif', { width: 512, height: 512, spacing: um(1) }, frame, { frame: 'bounds' });
    expect(part.covered).toEqual({ x: 1000, y: 1400, width: 1024, height: 1024 });
  });
});

function alignOrUndefined(mask: MaskGrid, frame: LabelFrame): number[] | undefined {
  try {
    return factors(mask, frame);
  } catch {
    return undefined;
  }
}

/** Whether a small whole number that is no power of two leads to the mask's size too. */
const fitsThird = (mask: MaskGrid, width: number, height: number): boolean =>
  [3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15].some(
    factor => Math.abs(mask.width - width / factor) < 1 && Math.abs(mask.height - height / factor) < 1,
  );
