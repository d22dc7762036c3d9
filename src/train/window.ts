/** A part of a picture: RGB, interleaved, rows top down, `stride` pixels a row. What lies outside is padding. */
export interface Window {
  readonly pixels: Uint8Array;
  /** Pixels a row. */
  readonly stride: number;
  readonly left: number;
  readonly top: number;
  /** One past the last column and row. */
  readonly right: number;
  readonly bottom: number;
}

export const clampByte = (value: number): number => (value <= 0 ? 0 : value >= 255 ? 255 : Math.round(value));
