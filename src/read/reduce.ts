import type { PixelMemory } from './pixel-memory.js';

/** Side of the squares that a patch is reduced to, in pixels. */
export const BLOCK = 8;

/**
 * Reduces a patch in one pass over its pixels: sums of 8 × 8 blocks for the tissue rule and, if wanted, means of 2 × 2 or
 * 4 × 4 pixels for the overview.
 */
export class PatchReducer {
  readonly #memory: PixelMemory;
  readonly #blocks: number;
  readonly #stride: number;
  readonly #offset: number;
  readonly #meansBytes: number;
  readonly factor: 1 | 2 | 4 | undefined;
  #views: readonly Uint8Array[] = [];

  /**
   * @param patchSize side of the patch, pixels.
   * @param margin around the core, whose side must be a multiple of 8 pixels.
   * @param factor of `means`; undefined leaves them out.
   */
  constructor(memory: PixelMemory, patchSize: number, margin: number, factor: 1 | 2 | 4 | undefined) {
    const core = patchSize - 2 * margin;
    this.#memory = memory;
    this.#blocks = core / BLOCK;
    this.#stride = patchSize * 3;
    this.#offset = (margin * patchSize + margin) * 3;
    this.#meansBytes = factor && factor > 1 ? (core / factor) ** 2 * 3 : 0;
    this.factor = factor;
  }

  /** RGB sums of each block of the core, row by row: (core / 8)² × 3. A view, valid until the memory grows. */
  get sums(): Uint16Array {
    return this.#memory.shorts(this.#sumsAt, this.#blocks ** 2 * 3);
  }

  /**
   * RGB means of each `factor` × `factor` square of the core: core / factor rows of as many pixels; of the pixels themselves
   * for a factor of 1. Views likewise.
   *
   * @param patch address of the patch.
   */
  means(patch: number): readonly Uint8Array[] {
    if (this.factor === 1) return this.#rows(patch + this.#offset, this.#blocks * BLOCK, this.#stride);
    const side = (this.#blocks * BLOCK) / (this.factor ?? 1);
    return this.factor ? this.#rows(this.#meansAt, side, side * 3) : [];
  }

  /** Computes `sums` and `means` of the patch at this address. */
  run(patch: number): void {
    const sums = this.#sumsAt;
    const means = this.#meansAt;
    this.#memory.kernels.reduce(patch + this.#offset, this.#stride, this.#blocks, sums, means, this.factor ?? 0);
  }

  /** Views of rows are made once, not 256 a patch. */
  #rows(start: number, side: number, stride: number): readonly Uint8Array[] {
    const [first] = this.#views;
    if (first?.byteOffset !== start || first.buffer !== this.#memory.buffer)
      this.#views = Array.from({ length: side }, (_, row) => this.#memory.bytes(start + row * stride, side * 3));
    return this.#views;
  }

  get #sumsAt(): number {
    return this.#memory.area('block sums', this.#blocks ** 2 * 6);
  }

  get #meansAt(): number {
    return this.#memory.area('means', this.#meansBytes);
  }
}
