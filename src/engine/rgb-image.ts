/** One RGB image: height × width × 3 bytes, rows top down; both sides multiples of 32. */
export interface RgbImage {
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}
