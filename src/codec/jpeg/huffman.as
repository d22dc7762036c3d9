/**
 * Huffman decoding of sequential JPEG scans (ITU-T T.81, F.2.2).
 *
 * The bytes of a segment lie in memory backwards and without stuffing, so that one load gives the next 64 bits with the
 * first one on top.
 */

/** Bits that one look into a table covers; longer codes are found by comparison. */
const PEEK: i32 = 10;
const ENTRIES: i32 = 1 << PEEK;
/** Symbols of 256 bytes, largest codes and offsets by length. */
const VALUES: usize = ENTRIES * 4;
const LIMITS: usize = VALUES + 256;
const OFFSETS: usize = LIMITS + 18 * 4;
export const TABLE_BYTES: usize = OFFSETS + 18 * 4;

/** How far an entry moves when the block ends there: past every coefficient. */
export const END_OF_BLOCK: i32 = 128;

/**
 * Fills a table from a DHT segment's 16 counts and symbols.
 *
 * An entry of an AC table holds all of a short code with its magnitude: the value (upper 16 bits), how many coefficients it
 * moves on (8 bits), and its length (8 bits). Where the magnitude does not fit, the entry holds the symbol (8 bits) and the
 * code's length with bit 7 set; where the code does not, it is zero. DC tables have entries of the second kind only.
 *
 * @returns false where the lengths make no code.
 */
export function buildTable(table: usize, counts: usize, symbols: usize, alternating: bool): bool {
  memory.fill(table, 0, TABLE_BYTES);
  let code: u32 = 0;
  let index: i32 = 0;
  for (let length: i32 = 1; length <= 16; length++) {
    const count = <i32>load<u8>(counts + length - 1);
    store<i32>(table + OFFSETS + length * 4, index - <i32>code);
    for (let i = 0; i < count; i++, index++, code++) {
      if (index > 255 || code >= (1 << <u32>length)) return false;
      const symbol = load<u8>(symbols + index);
      store<u8>(table + VALUES + index, symbol);
      if (!alternating && symbol > 15) return false;
      if (length > PEEK) continue;
      const free = PEEK - length;
      for (let rest = 0; rest < 1 << free; rest++) {
        const entry = alternating ? entryOf(symbol, length, rest, free) : (<i32>symbol << 8) | length | 0x80;
        store<i32>(table + (((<i32>code << free) | rest) << 2), entry);
      }
    }
    // Left-aligned to 16 bits: codes of this length are below it.
    store<u32>(table + LIMITS + length * 4, code << (16 - length));
    code <<= 1;
  }
  return true;
}

function entryOf(symbol: u8, length: i32, rest: i32, free: i32): i32 {
  const size = <i32>(symbol & 15);
  const run = <i32>(symbol >> 4);
  if (size == 0) return ((run == 15 ? 16 : END_OF_BLOCK) << 8) | length;
  if (size > free) return (<i32>symbol << 8) | length | 0x80;
  const bits = rest >> (free - size);
  return (extend(bits, size) << 16) | ((run + 1) << 8) | (length + size);
}

/** T.81, F.2.2.1: a magnitude's bits as a signed value. */
@inline
export function extend(bits: i32, size: i32): i32 {
  return bits + (((bits - (1 << (size - 1))) >> 31) & ((-1 << size) + 1));
}

/** What `longCode` finds: a symbol (upper bits) and its length (8 bits), like an entry's; zero where there is no such code. */
export function longCode(table: usize, next16: u32): i32 {
  for (let length: usize = PEEK + 1; length <= 16; length++) {
    if (next16 >= load<u32>(table + LIMITS + length * 4)) continue;
    const index = <i32>(next16 >> (16 - <u32>length)) + load<i32>(table + OFFSETS + length * 4);
    return (<i32>load<u8>(table + VALUES + (index & 255)) << 8) | <i32>length | 0x80;
  }
  return 0;
}
