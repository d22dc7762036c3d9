import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overWhite } from '#src/slide/openslide/over-white.js';

/** Transparent where `clear` says so. */
function picture(width: number, height: number, clear: (x: number, y: number) => boolean): Uint32Array {
  return Uint32Array.from({ length: width * height }, (_, i) =>
    clear(i % width, Math.floor(i / width)) ? 0 : 0xff336699,
  );
}

describe('pixels over white', () => {
  it('are the colour where they are opaque, white where they are clear, and mixed between', () => {
    const into = new Uint8Array(2 * 12).fill(7);
    // Half transparent black has half of white behind it.
    const argb = Uint32Array.of(0xff336699, 0, 0x80000000, 0xffffffff);
    expect(overWhite(argb, 2, 2, into, 12)).toEqual([]);
    expect([...into.subarray(0, 7)]).toEqual([0x33, 0x66, 0x99, 255, 255, 255, 7]);
    expect([...into.subarray(12, 18)]).toEqual([127, 127, 127, 255, 255, 255]);
  });

  it('have a gap wherever a whole square of eight is clear, and for no seam', () =>
    fc.assert(
      fc.property(
        ...[fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 })],
        ...[fc.nat(60), fc.nat(60), fc.nat(60), fc.nat(60), fc.nat(59)],
        (width, height, left, top, across, down, seam) => {
          const isSeam = (x: number, y: number): boolean => x === seam || y === seam;
          const inHole = (x: number, y: number): boolean =>
            x >= left && x < left + across && y >= top && y < top + down;
          const argb = picture(width, height, (x, y) => inHole(x, y) || isSeam(x, y));
          const gaps = overWhite(argb, width, height, new Uint8Array(width * height * 3), width * 3);
          const covered = (x: number, y: number): number =>
            gaps.filter(gap => x >= gap.x && y >= gap.y && x < gap.x + gap.width && y < gap.y + gap.height).length;
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
              const [x0, y0] = [x - (x % 8), y - (y % 8)];
              let clear = true;
              for (let v = y0; v < Math.min(height, y0 + 8); v++)
                for (let u = x0; u < Math.min(width, x0 + 8); u++) clear &&= argb[v * width + u] === 0;
              expect(covered(x, y)).toBe(clear ? 1 : 0);
            }
        },
      ),
      { numRuns: 60 },
    ));
});
