const SMALLEST = 1 << 16;
/** A buffer of more is let go of when it is begun anew. */
const LARGEST_KEPT = 1 << 24;
/** Bytes of the longest number: sign, sixteen digits, point. */
const NUMBER_BYTES = 18;
/** Hundredths up to here are whole 32-bit numbers, which are divided in fewer steps. */
const SMALL = 2 ** 31;

const [ZERO, MINUS, POINT] = [0x30, 0x2d, 0x2e];

const utf8 = new TextEncoder();

/** A text that is put together as bytes, in one buffer for all texts: millions of numbers would else each be a string first. */
export class TextBytes {
  #data = new Uint8Array(SMALLEST);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#data.subarray(0, this.#length);
  }

  clear(): void {
    if (this.#data.length > LARGEST_KEPT) this.#data = new Uint8Array(SMALLEST);
    this.#length = 0;
  }

  text(text: string): void {
    this.#room(text.length * 3);
    this.#length += utf8.encodeInto(text, this.#data.subarray(this.#length)).written;
  }

  /** One of ASCII's characters, by its code. */
  char(code: number): void {
    this.#room(1);
    this.#data[this.#length++] = code;
  }

  /** A hundredth of a whole number of less than 2^53, as JSON writes it: 12.5 for 1250. */
  hundredths(value: number): void {
    this.#room(NUMBER_BYTES);
    let rest = Math.abs(value);
    if (value < 0) this.#data[this.#length++] = MINUS;
    const cents = rest % 100;
    rest = rest < SMALL ? (rest / 100) | 0 : (rest - cents) / 100;
    this.#whole(rest);
    if (cents === 0) return;
    const tenths = (cents / 10) | 0;
    this.#data[this.#length++] = POINT;
    this.#data[this.#length++] = ZERO + tenths;
    if (cents % 10 !== 0) this.#data[this.#length++] = ZERO + (cents - tenths * 10);
  }

  #whole(value: number): void {
    let digits = 1;
    for (let power = 10; power <= value; power *= 10) digits++;
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const shorter = rest < SMALL ? (rest / 10) | 0 : Math.floor(rest / 10);
      this.#data[at] = ZERO + (rest - shorter * 10);
      rest = shorter;
    }
    this.#length += digits;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.#length + bytes));
    larger.set(this.#data.subarray(0, this.#length));
    this.#data = larger;
  }
}
