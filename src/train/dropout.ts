/** Place of a mask in a run: the same place, the same mask, whether the run was taken up again or not. */
export interface MaskPlace {
  readonly seed: number;
  /** Steps taken before. */
  readonly step: number;
  /** Of the step's batches. */
  readonly batch: number;
}

/** `count` numbers: 0 with this chance, otherwise 1 / (1 − chance). */
export function dropoutMask(count: number, chance: number, { seed, step, batch }: MaskPlace): Float32Array {
  const start = mixed(mixed(mixed(seed) ^ step) ^ batch);
  const kept = 1 / (1 - chance);
  return Float32Array.from({ length: count }, (_, i) => (mixed(start ^ i) / 2 ** 32 < chance ? 0 : kept));
}

/** Finaliser of MurmurHash3 over a step of a Weyl sequence: all 32-bit numbers, in another order. */
function mixed(value: number): number {
  let h = Math.imul(value + 1, 0x9e3779b9);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
