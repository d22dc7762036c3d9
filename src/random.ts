/**
 * Seeded random numbers, so that splits and bootstrap intervals can be repeated anywhere: xoshiro128** 1.1 (Blackman and
 * Vigna, 2018), its state filled by splitmix32 (the finaliser is MurmurHash3's fmix32) from the seed.
 */
export class Random {
  readonly #state = new Uint32Array(4);

  /** @param seed any integer; its low 32 bits count */
  constructor(seed: number) {
    let at = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      at = (at + 0x9e3779b9) >>> 0;
      this.#state[i] = mix32(at);
    }
  }

  /** Uniform integer in [0, 2^32). */
  next(): number {
    const s = this.#state;
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
    return result;
  }

  /** Uniform integer in [0, n), 0 < n ≤ 2^32, without bias (the tail of the range that n does not divide is drawn again). */
  below(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const draw = this.next();
      if (draw < limit) return draw % n;
    }
  }

  /** Uniform in [0, 1) with 32 bits. */
  float(): number {
    return this.next() / 2 ** 32;
  }

  /** A shuffled copy (Fisher–Yates, from the end). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }
}

/** MurmurHash3's 32-bit finaliser: every input bit flips every output bit half the time. */
function mix32(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const rotate = (value: number, bits: number): number => ((value << bits) | (value >>> (32 - bits))) >>> 0;
