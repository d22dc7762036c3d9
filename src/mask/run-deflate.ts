/**
 * Deflate (RFC 1951) for what consists of runs of equal bytes, as masks do: literals, and matches at distance 1, in one block with a Huffman code of its
 * own. It packs masks as well as zlib with Z_RLE in the same time, and asks for no memory: zlib sets up a quarter of a megabyte for each call, which the
 * garbage collector has to keep up with.
 */

/** Length codes 257 to 285: the shortest match each stands for, and its extra bits. */
const LENGTH_BASE = [
  ...[
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
  ],
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const LENGTH_SYMBOL = Uint16Array.from(
  { length: 259 },
  (_, length) => 257 + LENGTH_BASE.findLastIndex(base => base <= length),
);
const EXTRA_BITS = Uint8Array.from({ length: 286 }, (_, symbol) => (symbol > 256 ? LENGTH_EXTRA[symbol - 257]! : 0));
const BASE = Uint16Array.from({ length: 286 }, (_, symbol) => (symbol > 256 ? LENGTH_BASE[symbol - 257]! : 0));

const END = 256;
const LITERALS = 286;
const SHORTEST_MATCH = 3;
const LONGEST_MATCH = 258;
const LONGEST_CODE = 15;

/** The order in which lengths of the code for code lengths are sent. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_LENGTH_CODE = 7;
/** Zeros one after the other: 3 to 10, 11 to 138. */
const [FEW_ZEROS, MANY_ZEROS] = [17, 18];

const NO_WORDS = new Uint32Array(0);

/** Reuses its tables: one instance serves one thread. */
export class RunDeflate {
  /** Literals as they are, matches as 256 + their length. */
  #tokens = new Uint16Array(1 << 12);
  #count = 0;
  #out = new Uint8Array(1 << 12);
  #at = 0;
  #hold = 0;
  #held = 0;
  readonly #uses = new Uint32Array(LITERALS);
  readonly #literals = new HuffmanCode(LITERALS, LONGEST_CODE);
  readonly #lengths = new HuffmanCode(19, LONGEST_LENGTH_CODE);

  /** A deflate stream of these bytes; a view, valid until the next call. */
  run(bytes: Uint8Array): Uint8Array {
    if (this.#tokens.length < bytes.length) this.#tokens = new Uint16Array(bytes.length);
    // No code is longer than 15 bits, and the tables take less than 400 bytes.
    if (this.#out.length < bytes.length * 2 + 1024) this.#out = new Uint8Array(bytes.length * 2 + 1024);
    this.#tokenise(bytes);
    this.#at = 0;
    this.#hold = 0;
    this.#held = 0;
    this.#uses[END] = 1;
    this.#literals.build(this.#uses);
    // The last block, of dynamic codes.
    this.#put(1, 1);
    this.#put(2, 2);
    this.#sendTables();
    this.#sendTokens();
    if (this.#held > 0) this.#out[this.#at++] = this.#hold & 0xff;
    return this.#out.subarray(0, this.#at);
  }

  #tokenise(bytes: Uint8Array): void {
    const tokens = this.#tokens;
    const uses = this.#uses;
    uses.fill(0);
    const end = bytes.length;
    const words = bytes.byteOffset % 4 === 0 ? new Uint32Array(bytes.buffer, bytes.byteOffset, end >> 2) : NO_WORDS;
    const wordsEnd = words.length * 4;
    let count = 0;
    for (let at = 0; at < end; ) {
      const value = bytes[at]!;
      let to = at + 1;
      while (to < end && (to & 3) !== 0 && bytes[to] === value) to++;
      if ((to & 3) === 0 && to < wordsEnd) {
        const word = Math.imul(value, 0x01010101) >>> 0;
        while (to < wordsEnd && words[to >> 2] === word) to += 4;
      }
      while (to < end && bytes[to] === value) to++;
      tokens[count++] = value;
      uses[value]! += 1;
      let left = to - at - 1;
      while (left >= SHORTEST_MATCH) {
        // What is left over by the longest matches should be a match, too.
        const length =
          left > LONGEST_MATCH && left < LONGEST_MATCH + SHORTEST_MATCH
            ? left - SHORTEST_MATCH
            : Math.min(left, LONGEST_MATCH);
        tokens[count++] = 256 + length;
        uses[LENGTH_SYMBOL[length]!]! += 1;
        left -= length;
      }
      for (; left > 0; left--) {
        tokens[count++] = value;
        uses[value]! += 1;
      }
      at = to;
    }
    this.#count = count;
  }

  #sendTables(): void {
    const { bits } = this.#literals;
    let used = LITERALS;
    while (used > 257 && bits[used - 1] === 0) used--;
    // One distance code, for distance 1, of one bit.
    const symbols: number[] = [];
    const extras: number[] = [];
    const uses = new Uint32Array(19);
    const say = (symbol: number, extra = 0): void => {
      symbols.push(symbol);
      extras.push(extra);
      uses[symbol]! += 1;
    };
    for (let i = 0; i < used; ) {
      let zeros = 0;
      while (i + zeros < used && bits[i + zeros] === 0 && zeros < 138) zeros++;
      if (zeros >= 11) say(MANY_ZEROS, zeros - 11);
      else if (zeros >= 3) say(FEW_ZEROS, zeros - 3);
      else say(bits[i]!);
      i += zeros >= 3 ? zeros : 1;
    }
    say(1);
    this.#lengths.build(uses);
    let sent = 19;
    while (sent > 4 && this.#lengths.bits[ORDER[sent - 1]!] === 0) sent--;
    this.#put(used - 257, 5);
    this.#put(0, 5);
    this.#put(sent - 4, 4);
    for (let i = 0; i < sent; i++) this.#put(this.#lengths.bits[ORDER[i]!]!, 3);
    for (const [i, symbol] of symbols.entries()) {
      this.#put(this.#lengths.codes[symbol]!, this.#lengths.bits[symbol]!);
      if (symbol === FEW_ZEROS) this.#put(extras[i]!, 3);
      if (symbol === MANY_ZEROS) this.#put(extras[i]!, 7);
    }
  }

  #sendTokens(): void {
    const tokens = this.#tokens;
    const { codes, bits } = this.#literals;
    const out = this.#out;
    let at = this.#at;
    let hold = this.#hold;
    let held = this.#held;
    for (let i = 0; i < this.#count; i++) {
      const token = tokens[i]!;
      const symbol = token < 256 ? token : LENGTH_SYMBOL[token - 256]!;
      hold |= codes[symbol]! << held;
      held += bits[symbol]!;
      while (held >= 8) {
        out[at++] = hold & 0xff;
        hold >>>= 8;
        held -= 8;
      }
      if (token < 256) continue;
      // The extra bits, and the distance's code: one bit, 0.
      hold |= (token - 256 - BASE[symbol]!) << held;
      held += EXTRA_BITS[symbol]! + 1;
      while (held >= 8) {
        out[at++] = hold & 0xff;
        hold >>>= 8;
        held -= 8;
      }
    }
    this.#at = at;
    this.#hold = hold;
    this.#held = held;
    this.#put(codes[END]!, bits[END]!);
  }

  #put(value: number, bits: number): void {
    this.#hold |= value << this.#held;
    this.#held += bits;
    while (this.#held >= 8) {
      this.#out[this.#at++] = this.#hold & 0xff;
      this.#hold >>>= 8;
      this.#held -= 8;
    }
  }
}

/** A canonical Huffman code (RFC 1951, 3.2.2) for symbols that are used so often, none longer than a limit. */
class HuffmanCode {
  /** Lengths, 0 where a symbol is not used, and codes, their bits in the order they are sent in. */
  readonly bits: Uint8Array;
  readonly codes: Uint16Array;
  readonly #longest: number;

  constructor(symbols: number, longest: number) {
    this.bits = new Uint8Array(symbols);
    this.codes = new Uint16Array(symbols);
    this.#longest = longest;
  }

  build(uses: Uint32Array): void {
    const symbols: number[] = [];
    for (let symbol = 0; symbol < uses.length; symbol++) if (uses[symbol]! > 0) symbols.push(symbol);
    // A code of one symbol still takes a bit, and some readers want two symbols.
    for (let symbol = 0; symbols.length < 2; symbol++) if (!symbols.includes(symbol)) symbols.push(symbol);
    // Flatter uses give shorter codes.
    for (let halved = 0; ; halved++) {
      const weights = symbols.map(symbol => Math.max(1, uses[symbol]! >>> halved));
      const bits = huffmanLengths(weights);
      if (Math.max(...bits) > this.#longest) continue;
      this.bits.fill(0);
      for (const [i, symbol] of symbols.entries()) this.bits[symbol] = bits[i]!;
      break;
    }
    this.#assign();
  }

  #assign(): void {
    const count = new Uint16Array(this.#longest + 1);
    for (const bits of this.bits) if (bits > 0) count[bits]! += 1;
    const next = new Uint16Array(this.#longest + 2);
    for (let bits = 1; bits <= this.#longest; bits++) next[bits + 1] = (next[bits]! + count[bits]!) << 1;
    for (let symbol = 0; symbol < this.bits.length; symbol++) {
      const bits = this.bits[symbol]!;
      if (bits > 0) this.codes[symbol] = reversed(next[bits]!++, bits);
    }
  }
}

/** Depths of the leaves of a Huffman tree: leaves in ascending order and the nodes made of them are two queues. */
function huffmanLengths(weights: readonly number[]): number[] {
  const n = weights.length;
  const order = weights.map((_, i) => i).sort((a, b) => weights[a]! - weights[b]!);
  const weight = order.map(i => weights[i]!);
  const parent = new Int32Array(2 * n - 1);
  let leaf = 0;
  let node = n;
  for (let made = n; made < 2 * n - 1; made++) {
    let sum = 0;
    for (let child = 0; child < 2; child++) {
      const isLeaf = leaf < n && (node >= made || weight[leaf]! <= weight[node]!);
      const taken = isLeaf ? leaf++ : node++;
      sum += weight[taken]!;
      parent[taken] = made;
    }
    weight.push(sum);
  }
  const depth = new Uint8Array(2 * n - 1);
  for (let at = 2 * n - 3; at >= 0; at--) depth[at] = depth[parent[at]!]! + 1;
  const lengths = new Array<number>(n);
  for (let i = 0; i < n; i++) lengths[order[i]!] = depth[i]!;
  return lengths;
}

function reversed(code: number, bits: number): number {
  let out = 0;
  for (let i = 0; i < bits; i++) out |= ((code >> i) & 1) << (bits - 1 - i);
  return out;
}
