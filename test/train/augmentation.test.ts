import { describe, expect, it } from 'vitest';
import { drawAugmentation, MAX_SCALE, parseAugmentations } from '#src/train/augmentation.js';
import { AUGMENTATIONS } from '#src/train/kinds.js';
import { orient } from '#src/train/orient.js';
import { blur, changeColour } from '#src/train/picture-changes.js';
import { IGNORED_LABEL, rescaleImage, rescaleLabels } from '#src/train/rescale.js';
import type { Window } from '#src/train/window.js';

const whole = (pixels: Uint8Array, side: number): Window => ({
  pixels,
  stride: side,
  left: 0,
  top: 0,
  right: side,
  bottom: side,
});

describe('what is drawn', () => {
  const draws = Array.from({ length: 400 }, (_, place) => drawAugmentation(AUGMENTATIONS, 1, 2, place));

  it('is a function of seed, epoch and place', () => {
    expect(Array.from({ length: 400 }, (_, place) => drawAugmentation(AUGMENTATIONS, 1, 2, place))).toEqual(draws);
    expect(drawAugmentation(AUGMENTATIONS, 1, 3, 0)).not.toEqual(draws[0]);
    expect(drawAugmentation(AUGMENTATIONS, 2, 2, 0)).not.toEqual(draws[0]);
  });

  it('covers its range, evenly', () => {
    for (let turns = 0; turns < 4; turns++)
      for (const mirrored of [false, true])
        expect(draws.filter(draw => draw.turns === turns && draw.mirrored === mirrored).length).toBeGreaterThan(25);
    const scales = draws.map(({ scale }) => scale);
    expect(Math.min(...scales)).toBeGreaterThanOrEqual(1 / MAX_SCALE);
    expect(Math.max(...scales)).toBeLessThanOrEqual(MAX_SCALE);
    expect(scales.filter(scale => scale > 1).length).toBeGreaterThan(150);
    const blurred = draws.filter(draw => draw.blur !== undefined).length;
    expect(blurred).toBeGreaterThan(150);
    expect(blurred).toBeLessThan(250);
  });

  it('of one kind does not depend on the others', () => {
    for (let place = 0; place < 20; place++) {
      const { turns, mirrored, scale, stain } = drawAugmentation(['rotate', 'flip'], 1, 2, place);
      expect({ turns, mirrored }).toEqual({ turns: draws[place]!.turns, mirrored: draws[place]!.mirrored });
      expect([scale, stain]).toEqual([1, undefined]);
    }
  });

  it('is named on the command line', () => {
    expect(parseAugmentations('Flip, rotate')).toEqual(['rotate', 'flip']);
    expect(parseAugmentations('none')).toEqual([]);
    expect(() => parseAugmentations('rotate,mixup')).toThrow(/'mixup' is none of rotate, flip/);
    expect(() => parseAugmentations('hed,macenko')).toThrow(/choose one/);
  });
});

describe('orientation', () => {
  // 1 2
  // 3 4
  const square = Uint8Array.of(1, 2, 3, 4);
  const oriented = (turns: number, mirrored: boolean) => {
    const into = new Uint8Array(4);
    orient(square, into, 2, 1, turns, mirrored);
    return [...into].join('');
  };

  it('turns clockwise, then mirrors left to right', () => {
    expect([0, 1, 2, 3].map(turns => oriented(turns, false))).toEqual(['1234', '3142', '4321', '2413']);
    expect([0, 1, 2, 3].map(turns => oriented(turns, true))).toEqual(['2143', '1324', '3412', '4231']);
  });

  it('moves colours as it moves labels', () => {
    const side = 5;
    const labels = Uint8Array.from({ length: side * side }, (_, i) => i);
    const image = Uint8Array.from({ length: side * side * 3 }, (_, i) => Math.floor(i / 3));
    const [movedLabels, movedImage] = [new Uint8Array(labels.length), new Uint8Array(image.length)];
    orient(labels, movedLabels, side, 1, 3, true);
    orient(image, movedImage, side, 3, 3, true);
    expect(movedImage.filter((_, i) => i % 3 === 2)).toEqual(movedLabels);
    expect([...movedLabels].sort((a, b) => a - b)).toEqual([...labels]);
  });
});

describe('scale', () => {
  const ramp = (side: number) => Uint8Array.from({ length: side * side * 3 }, (_, i) => 4 * (Math.floor(i / 3) % side));

  it('1 is the middle as it is', () => {
    const [from, into] = [ramp(16), new Uint8Array(8 * 8 * 3)];
    rescaleImage(whole(from, 16), into, 8, 1);
    expect([...into.subarray(0, 24)].filter((_, i) => i % 3 === 0)).toEqual([4, 5, 6, 7, 8, 9, 10, 11].map(x => 4 * x));
  });

  it('keeps a linear ramp linear, its middle in the middle', () => {
    for (const scale of [0.8, 1.25]) {
      const into = new Uint8Array(8 * 8 * 3);
      rescaleImage(whole(ramp(32), 32), into, 8, scale);
      for (let i = 0; i < 8; i++)
        expect(Math.abs(into[i * 3]! - 4 * (15.5 + (i - 3.5) * scale))).toBeLessThanOrEqual(0.5);
    }
  });

  it('is black, and its labels ignored, where the slide ends', () => {
    const from = new Uint8Array(16 * 16 * 3).fill(200);
    const into = new Uint8Array(8 * 8 * 3);
    rescaleImage({ ...whole(from, 16), right: 8 }, into, 8, 1.25);
    expect([into[0], into[9], into[12], into[21]]).toEqual([200, 200, 0, 0]);
    const labels = new Uint8Array(64);
    rescaleLabels(new Uint8Array(64).fill(1), labels, 8, 1.25);
    expect([labels[0], labels[9], labels[63]]).toEqual([IGNORED_LABEL, 1, IGNORED_LABEL]);
    rescaleLabels(new Uint8Array(64).fill(1), labels, 8, 0.8);
    expect(labels.every(label => label === 1)).toBe(true);
  });
});

describe('colour and blur', () => {
  it('a colour factor of 1 changes nothing; others do what they are called', () => {
    const grey = () => Uint8Array.from({ length: 12 }, (_, i) => [100, 140, 180][i % 3]!);
    const changed = (change: Partial<Parameters<typeof changeColour>[1]>) => {
      const pixels = grey();
      changeColour(whole(pixels, 2), { brightness: 1, contrast: 1, saturation: 1, ...change });
      return [...pixels.subarray(0, 3)];
    };
    expect(changed({})).toEqual([100, 140, 180]);
    expect(changed({ brightness: 1.1 })).toEqual([110, 154, 198]);
    const [r, , b] = changed({ saturation: 0.5 });
    expect(b! - r!).toBe(40);
  });

  it('blur spreads a point evenly, keeps what is even, and leaves padding alone', () => {
    const side = 15;
    const point = new Uint8Array(side * side * 3);
    point.fill(255, (7 * side + 7) * 3, (7 * side + 7) * 3 + 3);
    blur(whole(point, side), 1);
    const at = (x: number, y: number) => point[(y * side + x) * 3]!;
    expect(at(6, 7)).toBe(at(8, 7));
    expect(at(7, 6)).toBe(at(6, 7));
    // The peak of a Gaussian of deviation 1, twice: 0.399² × 255.
    expect(at(7, 7)).toBeGreaterThan(38);
    expect(at(7, 7)).toBeLessThan(43);
    const even = new Uint8Array(side * side * 3).fill(77);
    even.fill(0, side * 10 * 3);
    blur({ ...whole(even, side), bottom: 10 }, 1.5);
    expect(even.subarray(0, side * 10 * 3).every(value => value === 77)).toBe(true);
    expect(even.subarray(side * 10 * 3).every(value => value === 0)).toBe(true);
  });
});
