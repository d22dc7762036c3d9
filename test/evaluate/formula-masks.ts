import { Random } from '#src/random.js';

/** Label values of a side × side mask; the same formula as formula_mask in test/golden/evaluate_scores.py. */
export function formulaMask(seed: number, side: number, classes: number): Uint8Array {
  const random = new Random(seed);
  const blocks = side / 4;
  const coarse = Array.from({ length: blocks * blocks }, () => random.next() % classes);
  const mask = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const value = coarse[Math.floor(y / 4) * blocks + Math.floor(x / 4)]!;
      mask[y * side + x] = value % 3 === 0 ? random.next() % classes : value;
    }
  }
  return mask;
}

export const SIDE = 32;

const EDGE_CASES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 2],
  [7, 7],
  [7, 2],
  [2, 2],
  [2, 7],
  [6, 6],
  [1, 1],
];

/** Truth and prediction number `index` of 200; the same as pair in test/golden/evaluate_scores.py. */
export function goldenPair(index: number): { truth: Uint8Array; prediction: Uint8Array } {
  const edge = EDGE_CASES[index];
  if (edge) {
    const [truth, prediction] = edge.map(value => new Uint8Array(SIDE * SIDE).fill(value));
    return { truth: truth!, prediction: prediction! };
  }
  return {
    truth: formulaMask(2 * index, SIDE, index % 5 ? 8 : 10),
    prediction: formulaMask(2 * index + 1, SIDE, 8),
  };
}

/** Bits of the values that are in `chosen`: rows of side / 8 bytes, most significant bit left. */
export function bitsOf(values: Uint8Array, chosen: readonly number[]): Uint8Array {
  const bits = new Uint8Array(values.length / 8);
  values.forEach((value, i) => {
    if (chosen.includes(value)) bits[i >> 3]! |= 128 >> (i & 7);
  });
  return bits;
}
