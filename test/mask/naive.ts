import fc from 'fast-check';
import { packBits, rowBytes } from '#src/mask/bits.js';

/** Pixel by pixel versions of what src/mask does by words: slow, obvious, and the reference of the property tests. */

export const get = (bits: Uint8Array, width: number, x: number, y: number): number =>
  (bits[y * rowBytes(width) + (x >> 3)]! >> (7 - (x & 7))) & 1;

export function* pixels(width: number, height: number): Generator<[x: number, y: number]> {
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) yield [x, y];
}

export function count(bits: Uint8Array, width: number, height: number): number {
  let set = 0;
  for (const [x, y] of pixels(width, height)) set += get(bits, width, x, y);
  return set;
}

export function fromFunction(width: number, height: number, set: (x: number, y: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(width * height);
  for (const [x, y] of pixels(width, height)) bytes[y * width + x] = set(x, y) ? 1 : 0;
  return packBits(bytes, width, height);
}

/** Masks of the kinds that matter: noise of any density, blocks (long edges), checkerboards (touching corners). */
export const maskBytes = (width: number, height: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.tuple(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true })).map(([seed, density]) => {
      const random = mulberry(seed);
      return Uint8Array.from({ length: width * height }, () => (random() < density ? 1 : 0));
    }),
    fc.tuple(fc.integer(), fc.integer({ min: 2, max: 7 })).map(([seed, block]) => {
      const random = mulberry(seed);
      const cols = Math.ceil(width / block);
      const cells = Array.from({ length: cols * Math.ceil(height / block) }, () => random() < 0.5);
      return Uint8Array.from({ length: width * height }, (_, i) => {
        const cell = Math.floor(Math.floor(i / width) / block) * cols + Math.floor((i % width) / block);
        return cells[cell] ? 1 : 0;
      });
    }),
    fc.integer({ min: 1, max: 3 }).map(block =>
      Uint8Array.from({ length: width * height }, (_, i) => {
        return (Math.floor(Math.floor(i / width) / block) + Math.floor((i % width) / block)) % 2;
      }),
    ),
    fc.constant(new Uint8Array(width * height).fill(1)),
  );

/** A small seeded generator (mulberry32), so that a failing example can be run again. */
export function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
