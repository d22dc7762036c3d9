import { describe, expect, it } from 'vitest';
import { Random } from '#src/random.js';
import { type Colour, unit } from '#src/train/density.js';
import { macenkoStains } from '#src/train/macenko.js';
import { changeStain } from '#src/train/stain.js';
import type { Window } from '#src/train/window.js';

const SIDE = 48;
const HAEMATOXYLIN = unit([0.65, 0.7, 0.29]);
const EOSIN = unit([0.07, 0.99, 0.11]);

/** Pixels of two stains in random amounts. */
function picture(stains: readonly [Colour, Colour], most = 0.9): Window {
  const random = new Random(5);
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let i = 0; i < SIDE * SIDE; i++) {
    const amounts = [random.float() * most, random.float() * most];
    for (let c = 0; c < 3; c++)
      pixels[i * 3 + c] = Math.round(255 * 10 ** -(amounts[0]! * stains[0][c]! + amounts[1]! * stains[1][c]!));
  }
  return { pixels, stride: SIDE, left: 0, top: 0, right: SIDE, bottom: SIDE };
}

const density = (value: number) => -Math.log10(Math.max(1, value) / 255);
const cosine = (a: Colour, b: Colour) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

describe('HED', () => {
  it('with factors of 1 and offsets of 0 leaves a picture as it is', () => {
    const window = picture([HAEMATOXYLIN, EOSIN]);
    const before = window.pixels.slice();
    changeStain(window, { by: 'hed', factors: [1, 1, 1], offsets: [0, 0, 0] });
    expect(window.pixels).toEqual(before);
  });

  it('makes one stain stronger and leaves the other', () => {
    const pixels = new Uint8Array(6);
    for (let c = 0; c < 3; c++) {
      pixels[c] = Math.round(255 * 10 ** -(0.5 * HAEMATOXYLIN[c]!));
      pixels[3 + c] = Math.round(255 * 10 ** -(0.5 * EOSIN[c]!));
    }
    const before = pixels.slice();
    changeStain(
      { pixels, stride: 2, left: 0, top: 0, right: 2, bottom: 1 },
      { by: 'hed', factors: [1.1, 1, 1], offsets: [0, 0, 0] },
    );
    for (let c = 0; c < 3; c++) {
      expect(density(pixels[c]!) / density(before[c]!)).toBeCloseTo(1.1, 1);
      expect(Math.abs(pixels[3 + c]! - before[3 + c]!)).toBeLessThanOrEqual(1);
    }
    expect(pixels[0]).toBeLessThan(before[0]!);
  });

  it('leaves what lies outside of the window', () => {
    const window = { ...picture([HAEMATOXYLIN, EOSIN]), right: SIDE / 2 };
    const before = window.pixels.slice();
    changeStain(window, { by: 'hed', factors: [0.85, 1.15, 1], offsets: [0.02, 0, 0] });
    const outside = (pixels: Uint8Array) => pixels.filter((_, i) => Math.floor(i / 3) % SIDE >= SIDE / 2);
    expect(outside(window.pixels)).toEqual(outside(before));
    expect(window.pixels).not.toEqual(before);
  });
});

describe('Macenko', () => {
  it("finds a picture's own stains", () => {
    const own: [Colour, Colour] = [unit([0.6, 0.75, 0.3]), unit([0.2, 0.9, 0.35])];
    const [haematoxylin, eosin] = macenkoStains(picture(own))!;
    expect(cosine(haematoxylin, own[0])).toBeGreaterThan(0.999);
    expect(cosine(eosin, own[1])).toBeGreaterThan(0.999);
  });

  it('finds none in glass, nor in one stain alone', () => {
    expect(macenkoStains(picture([HAEMATOXYLIN, EOSIN], 0.02))).toBeUndefined();
    expect(macenkoStains(picture([HAEMATOXYLIN, HAEMATOXYLIN]))).toBeUndefined();
  });

  it('changes a picture by them, or by the usual ones where it has none', () => {
    for (const most of [0.9, 0.02]) {
      const window = picture([HAEMATOXYLIN, EOSIN], most);
      const before = window.pixels.slice();
      changeStain(window, { by: 'macenko', factors: [1, 1], offsets: [0, 0] });
      expect(window.pixels).toEqual(before);
      changeStain(window, { by: 'macenko', factors: [1.15, 1.1], offsets: [0, 0] });
      const sum = (pixels: Uint8Array) => pixels.reduce((total, value) => total + value, 0);
      expect(sum(window.pixels)).toBeLessThan(sum(before));
    }
  });
});
