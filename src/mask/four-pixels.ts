/** Whether the first byte of a word is its lowest, as everywhere but on a few old machines. */
export const IS_LITTLE = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/**
 * Four pixels of a byte each, 0 or 1, that were read as one word: their bits, the first pixel's highest. In a little-endian word they stand at
 * 0, 8, 16 and 24; multiplying by 2²⁷ + 2¹⁸ + 2⁹ + 1 gathers them in bits 27 … 24 (no two products meet, so nothing carries).
 */
export const fourPixels = IS_LITTLE
  ? (word: number): number => (Math.imul(word, 0x0804_0201) >>> 24) & 15
  : (word: number): number => (Math.imul(word, 0x0102_0408) >>> 24) & 15;
