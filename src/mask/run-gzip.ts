import { crc32 } from '#inflate';
import { CODE_LENGTH_ORDER, LENGTH_BASE, LENGTH_BITS } from './deflate-tables.js';
import { fourPixels } from './four-pixels.js';

/** Pixels of the longest match (RFC 1951 §3.2.5). */
const LONGEST = 258;
/** The longest run that is one token: a pixel, and a match of those like it. */
const TOKEN = LONGEST + 1;
/** Runs up to here are shorter pixel by pixel. */
const SHORT_RUN = 4;

const END = 256;
/** Bits of a literal 0 or 1: every other symbol is one. */
const LITERAL_BITS = 2;
/** Bits of the symbols from END on: chosen on masks of networks, in which runs of 20 to 40 pixels are the most frequent. They make a complete code. */
const SYMBOL_BITS = [8, 8, ...Array(11).fill(6), ...Array(6).fill(5), ...Array(5).fill(6), ...Array(5).fill(7), 6];
/** A distance of one pixel; decoders want two distances at least. */
const DISTANCE_BITS = [1, 1];
/** Symbols that tell code lengths and are used: eight, of three bits each. */
const TOLD_BY = [1, 2, 3, 5, 6, 7, 8, 18];

/** A code as it is written: lowest bit first. */
interface Code {
  readonly value: number;
  readonly bits: number;
}

const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255);
const TRAILER_BYTES = 8;
/** The block's codes, and its end. */
const BLOCK_BYTES = 64;

/**
 * Packs a raster of bytes 0 and 1 as a gzip file by its runs alone, with one fixed code: a mask is nothing but runs, and a general
 * compressor looks for more. Any gzip reader opens it.
 */
export class RunGzip {
  readonly #codes = maskCodes();
  readonly #out: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  /** Bits that are not in #out yet, lowest first; fewer than 16 of them between two tokens, which have at most 15. */
  #held = 0;
  #bits = 0;

  /** @param most pixels of the largest raster */
  constructor(most: number) {
    this.#out = new Uint8Array(HEADER.length + BLOCK_BYTES + Math.ceil((most * LITERAL_BITS) / 8) + TRAILER_BYTES);
    this.#view = new DataView(this.#out.buffer);
  }

  /**
   * @param raster 0 or 1 a byte, at an offset of whole words
   * @returns the file, which the next call overwrites
   */
  pack(raster: Uint8Array): Uint8Array {
    const { header, end } = this.#codes;
    this.#out.set(HEADER);
    this.#at = HEADER.length;
    this.#held = 0;
    this.#bits = 0;
    for (const { value, bits } of header) this.#put(value, bits);
    this.#runs(raster);
    this.#put(end.value, end.bits);
    for (; this.#bits > 0; this.#bits -= 8, this.#held >>>= 8) this.#out[this.#at++] = this.#held;
    this.#view.setUint32(this.#at, crc32(raster), true);
    this.#view.setUint32(this.#at + 4, raster.length, true);
    return this.#out.subarray(0, this.#at + TRAILER_BYTES);
  }

  /** Finds where the value changes, 32 pixels at a time. */
  #runs(raster: Uint8Array): void {
    const blocks = raster.length >> 5;
    const words = new Uint32Array(raster.buffer, raster.byteOffset, blocks << 3);
    let from = 0;
    let value = raster[0] ?? 0;
    let last = value;
    for (let block = 0; block < blocks; block++) {
      let pixels = 0;
      for (let i = block << 3, end = i + 8; i < end; i++) pixels = (pixels << 4) | fourPixels(words[i]!);
      let changes = pixels ^ ((pixels >>> 1) | (last << 31));
      last = pixels & 1;
      while (changes !== 0) {
        const place = Math.clz32(changes);
        changes &= ~(0x8000_0000 >>> place);
        const to = (block << 5) + place;
        this.#run(value, to - from);
        from = to;
        value ^= 1;
      }
    }
    for (let to = blocks << 5; to < raster.length; to++) {
      if (raster[to] === value) continue;
      this.#run(value, to - from);
      from = to;
      value ^= 1;
    }
    if (raster.length > from) this.#run(value, raster.length - from);
  }

  #run(value: number, length: number): void {
    const { tokens, widths, matches, matchWidths } = this.#codes;
    if (length <= TOKEN) {
      this.#put(tokens[value]![length]!, widths[length]!);
      return;
    }
    this.#put(tokens[value]![TOKEN]!, widths[TOKEN]!);
    let rest = length - TOKEN;
    for (; rest >= LONGEST; rest -= LONGEST) this.#put(matches[LONGEST]!, matchWidths[LONGEST]!);
    if (rest > 2) this.#put(matches[rest]!, matchWidths[rest]!);
    else if (rest > 0) this.#put(tokens[value]![rest]!, widths[rest]!);
  }

  #put(value: number, bits: number): void {
    this.#held |= value << this.#bits;
    this.#bits += bits;
    if (this.#bits < 16) return;
    this.#view.setUint16(this.#at, this.#held, true);
    this.#at += 2;
    this.#held >>>= 16;
    this.#bits -= 16;
  }
}

interface MaskCodes {
  /** Of the block: that it is the last one, and its codes (RFC 1951 §3.2.7). */
  readonly header: readonly Code[];
  /** Of whole runs of clear and of set pixels, by their lengths up to TOKEN. */
  readonly tokens: readonly [Uint16Array, Uint16Array];
  readonly widths: Uint8Array;
  /** By how many pixels are like the one before. */
  readonly matches: Uint16Array;
  readonly matchWidths: Uint8Array;
  readonly end: Code;
}

function maskCodes(): MaskCodes {
  const symbolBits = [LITERAL_BITS, LITERAL_BITS, ...Array(END - 2).fill(0), ...SYMBOL_BITS];
  const symbols = codesOf(symbolBits);
  const [distance] = codesOf(DISTANCE_BITS);
  const tellers = codesOf(
    Array.from({ length: CODE_LENGTH_ORDER.length }, (_, symbol) => (TOLD_BY.includes(symbol) ? 3 : 0)),
  );
  const tell = (length: number): Code => tellers[length]!;
  const zeros = (count: number): Code[] => [tell(18), { value: count - 11, bits: 7 }];
  const header: Code[] = [
    { value: 1, bits: 1 },
    { value: 2, bits: 2 },
    { value: symbolBits.length - (END + 1), bits: 5 },
    { value: DISTANCE_BITS.length - 1, bits: 5 },
    { value: CODE_LENGTH_ORDER.length - 4, bits: 4 },
    ...CODE_LENGTH_ORDER.map(symbol => ({ value: TOLD_BY.includes(symbol) ? 3 : 0, bits: 3 })),
    ...[tell(LITERAL_BITS), tell(LITERAL_BITS), ...zeros(138), ...zeros(END - 2 - 138)],
    ...[...SYMBOL_BITS, ...DISTANCE_BITS].map(tell),
  ];
  const matches = new Uint16Array(LONGEST + 1);
  const matchWidths = new Uint8Array(LONGEST + 1);
  for (const [i, first] of LENGTH_BASE.entries()) {
    const { value, bits } = symbols[END + 1 + i]!;
    const further = LENGTH_BITS[i]!;
    for (let rest = 0; rest < 2 ** further && first + rest <= LONGEST; rest++) {
      matches[first + rest] = value | (rest << bits) | (distance!.value << (bits + further));
      matchWidths[first + rest] = bits + further + distance!.bits;
    }
  }
  const widths = new Uint8Array(TOKEN + 1);
  const tokens = [symbols[0]!, symbols[1]!].map(({ value }) => {
    const runs = new Uint16Array(TOKEN + 1);
    for (let run = 1; run <= TOKEN; run++) {
      const literals = run > SHORT_RUN ? 1 : run;
      widths[run] = literals * LITERAL_BITS + (literals < run ? matchWidths[run - 1]! : 0);
      for (let i = 0; i < literals; i++) runs[run]! |= value << (i * LITERAL_BITS);
      if (literals < run) runs[run]! |= matches[run - 1]! << LITERAL_BITS;
    }
    return runs;
  });
  return { header, tokens: [tokens[0]!, tokens[1]!], widths, matches, matchWidths, end: symbols[END]! };
}

/** Codes of so many bits each, shorter ones first, then in their order (RFC 1951 §3.2.2); 0 bits: never used. */
function codesOf(lengths: readonly number[]): Code[] {
  const codes = lengths.map((): Code => ({ value: 0, bits: 0 }));
  let next = 0;
  for (let bits = 1; bits <= Math.max(...lengths); bits++) {
    for (const [symbol, length] of lengths.entries())
      if (length === bits) codes[symbol] = { value: reversed(next++, bits), bits };
    next *= 2;
  }
  return codes;
}

function reversed(value: number, bits: number): number {
  let out = 0;
  for (let i = 0; i < bits; i++) out |= ((value >> i) & 1) << (bits - 1 - i);
  return out;
}
