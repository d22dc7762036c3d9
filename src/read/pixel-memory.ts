import { instantiate, reach, type WasmMemory } from '../codec/wasm.js';
import { KERNELS } from './kernels.js';

/**
 * The inner loops, in WebAssembly SIMD over one memory (kernels.wat has their parameters). Addresses are bytes. The same
 * loops in JavaScript took as long as decoding the pixels.
 */
export interface Kernels {
  copy(to: number, toStride: number, from: number, fromStride: number, bytes: number, rows: number): void;
  fill(to: number, stride: number, bytes: number, rows: number, value: number): void;
  reduce(source: number, stride: number, blocks: number, sums: number, means: number, factor: number): void;
  addRow(sums: number, from: number, count: number, weight: number): void;
  halve(to: number, toStride: number, from: number, count: number, rows: number): void;
  averageRow(to: number, sums: number, spans: number, count: number, norm: number): void;
}

/** Kernels may touch this many bytes past the end of what they work on. */
const SLACK = 64;

/** One thread's pixels: named areas that grow when more is asked for, and the kernels that work on them. */
export class PixelMemory {
  readonly kernels: Kernels;
  readonly #memory: WasmMemory;
  readonly #areas = new Map<string, { at: number; bytes: number }>();
  #used = 0;

  constructor() {
    const { memory, ...kernels } = instantiate<Kernels>(KERNELS);
    this.kernels = kernels;
    this.#memory = memory;
  }

  /**
   * Address of a named area of at least `bytes`; it moves, and loses what it held, only when it must become larger.
   * Pages that are never written cost no memory. May invalidate views.
   */
  area(name: string, bytes: number): number {
    const known = this.#areas.get(name);
    if (known && known.bytes >= bytes) return known.at;
    const size = Math.ceil(bytes / 16) * 16;
    const at = this.#used;
    this.#used += size + SLACK;
    reach(this.#memory, this.#used);
    this.#areas.set(name, { at, bytes: size });
    return at;
  }

  /** All of the memory; another object after it has grown. */
  get buffer(): ArrayBuffer {
    return this.#memory.buffer;
  }

  /** A view of memory, valid until the next `area`. */
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, length);
  }

  /** Likewise, of 16-bit values. */
  shorts(at: number, length: number): Uint16Array {
    return new Uint16Array(this.#memory.buffer, at, length);
  }

  /** For tables of mixed values. */
  view(at: number, length: number): DataView {
    return new DataView(this.#memory.buffer, at, length);
  }
}
