import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packBits } from '#src/mask/bits.js';
import { MaskPyramid } from '#src/mask/reduce.js';
import { maskBytes } from './naive.js';

describe('the pyramid of a patch', () => {
  it('counts every block and takes the majority of what lies on the slide', () => {
    const cases = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 8 }))
      .map(([blocks, levels]) => ({ side: blocks * 2 ** (levels - 1), levels }))
      .filter(({ side }) => side <= 256)
      .chain(({ side, levels }) =>
        fc.record({
          side: fc.constant(side),
          levels: fc.constant(levels),
          width: fc.integer({ min: 1, max: side }),
          height: fc.integer({ min: 1, max: side }),
          bytes: maskBytes(side, side),
        }),
      );
    fc.assert(
      fc.property(cases, fc.boolean(), ({ side, levels, bytes, ...part }, whole) => {
        const { width, height } = whole ? { width: side, height: side } : part;
        const inside = bytes.map((value, i) => (i % side < width && Math.floor(i / side) < height ? value : 0));
        const pyramid = new MaskPyramid(side, levels);
        pyramid.load(packBits(inside, side, side), width, height);
        for (let k = 0; k < levels; k++) {
          const size = 2 ** k;
          const cols = side / size;
          const counts: number[] = [];
          const raster: number[] = [];
          for (let block = 0; block < cols * cols; block++) {
            const [x0, y0] = [(block % cols) * size, Math.floor(block / cols) * size];
            let set = 0;
            let valid = 0;
            for (let y = y0; y < y0 + size; y++) {
              for (let x = x0; x < x0 + size; x++) {
                set += inside[y * side + x]!;
                if (x < width && y < height) valid++;
              }
            }
            counts.push(set);
            raster.push(set > 0 && 2 * set >= valid ? 1 : 0);
          }
          expect([...pyramid.counts(k)]).toEqual(counts);
          expect([...pyramid.raster(k)]).toEqual(raster);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('refuses sides that cannot be halved so often', () => {
    expect(() => new MaskPyramid(100, 4)).toThrow(RangeError);
    expect(() => new MaskPyramid(64, 0)).toThrow(RangeError);
  });
});
