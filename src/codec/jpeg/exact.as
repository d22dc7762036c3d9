/**
 * Decodes the scan of a baseline JPEG to the very pixels of libjpeg with its "islow" inverse DCT. exact-jpeg.ts reads the
 * headers, puts tables and bytes into memory, and says where; exact-wasm.ts holds this assembled.
 */
import { buildTable, END_OF_BLOCK, extend, longCode, TABLE_BYTES } from './huffman';
import { inverse, inverseFlat } from './idct';
import { convertRow, enlarge, heighten, interleaveRow, MARGIN, widen } from './colour';

/** A component, of 32 bytes: sampling factors, tables, quantisers, plane, bytes a row, and the last first coefficient. */
const COMPONENT: usize = 32;
const components: usize = memory.data(3 * 32, 16);
/** Where coefficients go, in the order they are coded; what comes after the last goes to a place nobody looks at. */
const ORDER: usize = memory.data<u8>([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55,
  62, 63, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
]);
const block: usize = memory.data(65 * 2 + 14, 16);
const huffman: usize = memory.data(8 * 5340, 16);
const quantisers: usize = memory.data(4 * 128, 16);

/** First byte that the caller may use. */
export function heapStart(): usize {
  return (<usize>__heap_base + 63) & ~63;
}

/** Sets Huffman table `slot` (0–3 DC, 4–7 AC) from 16 counts and symbols. Returns 0 where they make no code. */
export function setHuffman(slot: usize, counts: usize): i32 {
  return <i32>buildTable(huffman + slot * TABLE_BYTES, counts, counts + 16, slot >= 4);
}

/** Sets quantisation table `slot` (0–3) from 64 values of `bytes` (1 or 2, big-endian) each, in the coded order. */
export function setQuantisers(slot: usize, from: usize, bytes: usize): void {
  const to = quantisers + slot * 128;
  for (let k: usize = 0; k < 64; k++) {
    const value = bytes == 1 ? <u16>load<u8>(from + k) : bswap(load<u16>(from + k * 2));
    store<u16>(to + (<usize>load<u8>(ORDER + k) << 1), value);
  }
}

/** Sets component `index`. `plane`: rows of `stride` bytes for its blocks; margins lie outside. */
export function setComponent(
  index: usize,
  across: u32,
  down: u32,
  dc: usize,
  ac: usize,
  quantiser: usize,
  plane: usize,
  stride: usize,
): void {
  const at = components + index * COMPONENT;
  store<u32>(at, across);
  store<u32>(at, down, 4);
  store<u32>(at, <u32>(huffman + dc * TABLE_BYTES), 8);
  store<u32>(at, <u32>(huffman + (4 + ac) * TABLE_BYTES), 12);
  store<u32>(at, <u32>(quantisers + quantiser * 128), 16);
  store<u32>(at, <u32>plane, 20);
  store<u32>(at, <u32>stride, 24);
}

/**
 * Copies entropy-coded bytes up to a marker, backwards from `top`, without their stuffing.
 *
 * @returns the marker's place, or 0 where there is none before `end`.
 */
function unstuff(from: usize, end: usize, top: usize): usize {
  const ones = i8x16.splat(-1);
  while (from < end) {
    while (from + 16 <= end) {
      const bytes = v128.load(from);
      if (v128.any_true(i8x16.eq(bytes, ones))) break;
      v128.store(top - 15, v128.shuffle<u8>(bytes, bytes, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
      from += 16;
      top -= 16;
    }
    for (let i = 0; i < 16 && from < end; i++) {
      const byte = load<u8>(from);
      if (byte == 0xff) {
        if (from + 1 >= end) return 0;
        if (load<u8>(from, 1) != 0) {
          segmentEnd = top;
          return from;
        }
        from++;
      }
      store<u8>(top, byte);
      from++;
      top--;
    }
  }
  return 0;
}
/** One below the last byte that `unstuff` wrote. */
let segmentEnd: usize = 0;

/** Decodes `count` MCUs from number `first` on; the bytes start at `top` and go down to `segmentEnd`. */
function decodeSegment(parts: usize, across: u32, first: u32, count: u32, top: usize): bool {
  for (let part: usize = 0; part < parts; part++) store<i32>(components + part * COMPONENT, 0, 28);
  // A scan that broke off may have left coefficients.
  memory.fill(block, 0, 130);
  let next = top;
  let buffer: u64 = 0;
  let bits: i32 = 0;
  for (let mcu = first; mcu < first + count; mcu++) {
    const mcuRow = mcu / across;
    const mcuCol = mcu - mcuRow * across;
    for (let part: usize = 0; part < parts; part++) {
      const component = components + part * COMPONENT;
      const blocksAcross = load<u32>(component);
      const blocks = blocksAcross * load<u32>(component, 4);
      const dc = <usize>load<u32>(component, 8);
      const ac = <usize>load<u32>(component, 12);
      const quantiser = <usize>load<u32>(component, 16);
      const stride = <usize>load<u32>(component, 24);
      for (let index: u32 = 0; index < blocks; index++) {
        const down = index >= blocksAcross ? <u32>1 : <u32>0;
        const row = mcuRow * (blocks / blocksAcross) + down;
        const col = mcuCol * blocksAcross + index - down * blocksAcross;
        const to = <usize>load<u32>(component, 20) + (<usize>row * stride + <usize>col) * 8;
        // 56 bits or more: enough for any two codes with their magnitudes, less 6 bits, so one refill a code is safe.
        buffer |= load<u64>(next - 7) >> <u64>bits;
        next -= <usize>((63 - bits) >> 3);
        bits |= 56;
        let entry = load<i32>(dc + <usize>((buffer >> 54) << 2));
        if (entry == 0) entry = longCode(dc, <u32>(buffer >> 48));
        if (entry == 0) return false;
        let length = entry & 0x7f;
        buffer <<= <u64>length;
        bits -= length;
        const size = entry >> 8;
        let value = load<i32>(component, 28);
        if (size > 0) {
          value += extend(<i32>(buffer >> <u64>(64 - size)), size);
          buffer <<= <u64>size;
          bits -= size;
        }
        store<i32>(component, value, 28);
        let k: i32 = 1;
        do {
          buffer |= load<u64>(next - 7) >> <u64>bits;
          next -= <usize>((63 - bits) >> 3);
          bits |= 56;
          entry = load<i32>(ac + <usize>((buffer >> 54) << 2));
          if (entry & 0x80 || entry == 0) {
            if (entry == 0) entry = longCode(ac, <u32>(buffer >> 48));
            if (entry == 0) return false;
            length = entry & 0x7f;
            buffer <<= <u64>length;
            bits -= length;
            const magnitude = (entry >> 8) & 15;
            const run = (entry >> 12) & 15;
            if (magnitude == 0) {
              k += run == 15 ? 16 : END_OF_BLOCK;
              continue;
            }
            k += run + 1;
            if (k > 64) return false;
            const coefficient = extend(<i32>(buffer >> <u64>(64 - magnitude)), magnitude);
            store<i16>(block + (<usize>load<u8>(ORDER + k - 1) << 1), <i16>coefficient);
            buffer <<= <u64>magnitude;
            bits -= magnitude;
            continue;
          }
          length = entry & 0x7f;
          buffer <<= <u64>length;
          bits -= length;
          k += (entry >> 8) & 0xff;
          // The end of a block and a run of 16 zeros write a zero where there is one, or where nobody looks.
          store<i16>(block + (<usize>load<u8>(ORDER + min(k, 65) - 1) << 1), <i16>(entry >> 16));
        } while (k < 64);
        if (k != 64 && k < END_OF_BLOCK) return false;
        if (k == END_OF_BLOCK + 1) inverseFlat(<i16>value, load<i16>(quantiser), to, stride);
        else {
          store<i16>(block, <i16>value);
          inverse(block, quantiser, to, stride);
          for (let i: usize = 0; i < 128; i += 16) v128.store(block + i, i64x2.splat(0));
        }
      }
    }
    if (next + 8 < segmentEnd) return false;
  }
  const used = (<i32>(top - next) << 3) - bits;
  const stored = <i32>(top - segmentEnd) << 3;
  return used <= stored && used > stored - 8;
}

/**
 * Decodes the one scan of `mcus` MCUs, `across` a row, whose bytes start at `from`.
 *
 * @param top where the bytes can be written backwards; as much room below it as they take and 4096 bytes more.
 * @returns the place of the marker after it; 0 where the scan is not sound.
 */
export function decodeScan(
  parts: usize,
  across: u32,
  mcus: u32,
  interval: u32,
  from: usize,
  end: usize,
  top: usize,
): usize {
  let restarts: u32 = 0;
  let done: u32 = 0;
  while (done < mcus) {
    const count = interval == 0 ? mcus : min(interval, mcus - done);
    from = unstuff(from, end, top);
    if (from == 0 || !decodeSegment(parts, across, done, count, top)) return 0;
    done += count;
    if (done == mcus) break;
    if (<u32>load<u8>(from, 1) != 0xd0 + (restarts & 7)) return 0;
    restarts++;
    from += 2;
  }
  return from;
}

/** A row of component `part` for row `y` of the picture, as wide as the picture, made in `room` where it is stored smaller. */
function rowOf(part: usize, y: u32, width: u32, height: u32, room: usize): usize {
  const component = components + part * COMPONENT;
  const wide = load<u32>(components) > load<u32>(component);
  const tall = load<u32>(components, 4) > load<u32>(component, 4);
  const plane = <usize>load<u32>(component, 20);
  const stride = <usize>load<u32>(component, 24);
  const stored = <usize>(wide ? (width + 1) >> 1 : width);
  if (!tall) {
    const row = plane + <usize>y * stride;
    if (!wide) return row;
    widen(row, stored, room);
    return room;
  }
  const last = ((height + 1) >> 1) - 1;
  const near = y >> 1;
  const far = y & 1 ? min(near + 1, last) : near == 0 ? near : near - 1;
  const sums = room + ((<usize>width + 79) & ~15);
  if (wide) enlarge(plane + <usize>near * stride, plane + <usize>far * stride, stored, sums, room);
  else heighten(plane + <usize>near * stride, plane + <usize>far * stride, stored, y & 1 ? 2 : 1, room);
  return room;
}

/**
 * Puts the planes together as RGB.
 *
 * @param transform 1 for YCbCr; one component is grey.
 * @param room four times the width and 512 bytes, twice.
 */
export function toRgb(parts: usize, width: u32, height: u32, transform: i32, room: usize, to: usize): void {
  const other = room + <usize>width * 4 + 512;
  for (let y: u32 = 0; y < height; y++, to += <usize>width * 3) {
    const first = <usize>load<u32>(components, 20) + <usize>y * <usize>load<u32>(components, 24);
    if (parts == 1) {
      interleaveRow(first, first, first, width, to);
      continue;
    }
    const second = rowOf(1, y, width, height, room);
    const third = rowOf(2, y, width, height, other);
    if (transform) convertRow(first, second, third, width, to);
    else interleaveRow(first, second, third, width, to);
  }
}

/** Bytes around the samples of a plane that must be there. */
export function margin(): usize {
  return MARGIN;
}
