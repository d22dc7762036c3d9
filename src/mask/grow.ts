/** Typed arrays that grow by doubling: the polygoniser's tables hold millions of numbers, too many for objects. */

type Typed = Uint8Array | Int32Array | Float64Array;

export class Grow<T extends Typed> {
  /** The storage; only the first `length` entries count. Replaced whenever it grows. */
  data: T;
  length = 0;
  readonly #make: (size: number) => T;

  constructor(make: (size: number) => T, size = 1024) {
    this.#make = make;
    this.data = make(size);
  }

  /** Appends, and returns the entry's index. */
  push(value: number): number {
    if (this.length === this.data.length) this.#double();
    this.data[this.length] = value;
    return this.length++;
  }

  clear(): void {
    this.length = 0;
  }

  #double(): void {
    const larger = this.#make(this.data.length * 2);
    larger.set(this.data);
    this.data = larger;
  }
}

export const growBytes = (): Grow<Uint8Array> => new Grow(size => new Uint8Array(size));
export const growInts = (): Grow<Int32Array> => new Grow(size => new Int32Array(size));
export const growDoubles = (): Grow<Float64Array> => new Grow(size => new Float64Array(size));
