import type { RgbImage } from './rgb-image.js';

/** Pictures at the ends of what a model can be given, by name: where a network overflows, it does so on one of these. */
export function extremeImages(side: number): ReadonlyMap<string, RgbImage> {
  const picture = (byteAt: (place: number) => number): RgbImage => ({
    pixels: Uint8Array.from({ length: side * side * 3 }, (_, place) => byteAt(place)),
    width: side,
    height: side,
  });
  const plain = ([red, green, blue]: readonly [number, number, number]) =>
    picture(place => [red, green, blue][place % 3]!);
  return new Map([
    ['noise', picture(noise)],
    ['black', plain([0, 0, 0])],
    ['white', plain([255, 255, 255])],
    ['red', plain([255, 0, 0])],
    ['green', plain([0, 255, 0])],
    ['blue', plain([0, 0, 255])],
    // Every sample at one of its ends, each by itself, and then in squares as large as the encoder's deepest pixels.
    ['noise of black and white', picture(coin)],
    [
      'a board of black and white',
      picture(place => ((((place / 96) >> 0) + ((place / (96 * side)) >> 0)) & 1 ? 255 : 0)),
    ],
  ]);
}

/** Bytes that look random, the same in every run: a Weyl sequence by the golden ratio. */
const noise = (place: number): number => Math.imul(place, 0x9e3779b1) >>> 24;

/** 0 or 255, each sample independent of its neighbours, as the sequence above is not. */
function coin(place: number): number {
  const mixed = Math.imul(place ^ (place >>> 16) ^ 0x5bd1e995, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) & 4096 ? 255 : 0;
}
