/**
 * Decodes code-blocks (ISO/IEC 15444-1, annex D), without the optional styles.
 *
 * A block is worked on in stripes of four rows. A word holds what a column of a stripe must know: 18 bits of significance
 * (three columns of six rows: its own and one around), signs of its own rows and of those above and below (bits 18, 19, 22,
 * 25, 28 and 31), and for each of its rows whether it was refined (20 + 3 × row) and whether it was visited in this bit-plane
 * (21 + 3 × row). Row r's neighbourhood is (word >> 3 × r) & 0x1ef, its own significance bit 4 of that. It is the layout of
 * OpenJPEG; magnitudes, four to a column with the sign on top, lie column by column, so that a column is one vector.
 */
import { prepareContexts, significance, signs } from './contexts';
import { CONTEXTS, decide, REFINE, RUN, startMq, UNIFORM } from './mq';

/** Bit 0 of each row. */
const ROWS: u32 = 0x249;
const VISITED: u32 = 0x49200000;
const NEIGHBOURS: u32 = 0x1ef;

/** Words: at most 4096 samples, with a column and a stripe around. */
const words: usize = memory.data(32768, 16);
const magnitudes: usize = memory.data(4096 * 4 + 64, 16);

let distance: i32 = 0;
let table: usize = 0;
let across: usize = 0;
let stride: usize = 0;
let stripes: usize = 0;
/** Bytes of magnitudes in a stripe. */
let stripeBytes: usize = 0;
/** Bit 0 of the rows that the last stripe has. */
let lastRows: u32 = 0;

/** Rows of a column that are not significant, but a neighbour is. */
@inline
function atEdge(f: u32): u32 {
  const wide = f | (f >> 1) | (f >> 2);
  return (wide | (wide >> 3) | (wide >> 6)) & ~(f >> 4);
}
@inline
function anyAtEdge(f: v128, rows: u32): bool {
  const wide = v128.or(v128.or(f, i32x4.shr_u(f, 1)), i32x4.shr_u(f, 2));
  const near = v128.or(v128.or(wide, i32x4.shr_u(wide, 3)), i32x4.shr_u(wide, 6));
  return v128.any_true(v128.and(v128.andnot(near, i32x4.shr_u(f, 4)), i32x4.splat(rows)));
}
/** Rows that are significant and were not visited. */
@inline
function toRefine(f: u32): u32 {
  return (f >> 4) & ~(f >> 21);
}

/** Decodes the sign of row `r3` / 3 and tells its neighbours of it. Returns the column's word. */
@inline
function becomeSignificant(at: usize, f: u32, r3: u32, d: i32, value: u32, to: usize): u32 {
  const west = load<u32>(at - 4);
  const east = load<u32>(at + 4);
  const north = r3 == 0 ? f >> 18 : f >> (16 + r3);
  const around =
    ((f >> r3) & 0xaa) |
    ((west >> (19 + r3)) & 1) |
    (((east >> (19 + r3)) & 1) << 2) |
    ((north & 1) << 4) |
    (((f >> (22 + r3)) & 1) << 6);
  const entry = <u32>load<u8>(signs + around);
  const context = CONTEXTS + ((entry & 0x7f) << 3);
  let r = d - load<i32>(context);
  if (r < 0) r = decide(context, r);
  const bit = <u32>(r & 1);
  distance = r - <i32>bit;
  const sign = bit ^ (entry >> 7);
  store<u32>(to + ((r3 / 3) << 2), value | (sign << 31));
  store<u32>(at - 4, west | (0x20 << r3));
  store<u32>(at + 4, east | (0x08 << r3));
  if (r3 == 0) {
    const above = at - stride;
    store<u32>(above - 4, load<u32>(above - 4) | (1 << 17));
    store<u32>(above, load<u32>(above) | (1 << 16) | (sign << 31));
    store<u32>(above + 4, load<u32>(above + 4) | (1 << 15));
  } else if (r3 == 9) {
    const below = at + stride;
    store<u32>(below - 4, load<u32>(below - 4) | 4);
    store<u32>(below, load<u32>(below) | 2 | (sign << 18));
    store<u32>(below + 4, load<u32>(below + 4) | 1);
  }
  return f | (0x10 << r3) | (sign << (19 + r3));
}

/** Samples with significant neighbours. */
function propagate(value: u32): void {
  let d = distance;
  for (let s: usize = 0; s < stripes; s++) {
    const stripe = words + (s + 1) * stride + 4;
    const values = magnitudes + s * stripeBytes;
    const rows = s + 1 == stripes ? lastRows : ROWS;
    for (let x: usize = 0; x < across; x += 4) {
      if (!anyAtEdge(v128.load(stripe + x * 4), rows)) continue;
      const end = min(x + 4, across);
      for (let column = x; column < end; column++) {
        const at = stripe + column * 4;
        let f = load<u32>(at);
        let todo = atEdge(f) & rows;
        if (todo == 0) continue;
        do {
          const r3 = <u32>ctz(todo);
          const context = CONTEXTS + <usize>load<u8>(table + ((f >> r3) & NEIGHBOURS));
          let r = d - load<i32>(context);
          if (r < 0) r = decide(context, r);
          d = r & ~1;
          if (r & 1) {
            f = becomeSignificant(at, f, r3, d, value, values + column * 16);
            d = distance;
            todo = atEdge(f) & rows & (-8 << r3);
          } else todo &= todo - 1;
          f |= 1 << (21 + r3);
        } while (todo);
        store<u32>(at, f);
      }
    }
  }
  distance = d;
}

/** Another bit of the samples that were significant before. */
function refine(half: i32): void {
  let d = distance;
  for (let s: usize = 0; s < stripes; s++) {
    const stripe = words + (s + 1) * stride + 4;
    const values = magnitudes + s * stripeBytes;
    const rows = s + 1 == stripes ? lastRows : ROWS;
    for (let x: usize = 0; x < across; x += 4) {
      const four = v128.load(stripe + x * 4);
      if (!v128.any_true(v128.and(v128.andnot(i32x4.shr_u(four, 4), i32x4.shr_u(four, 21)), i32x4.splat(rows)))) continue;
      const end = min(x + 4, across);
      for (let column = x; column < end; column++) {
        const at = stripe + column * 4;
        let f = load<u32>(at);
        let todo = toRefine(f) & rows;
        if (todo == 0) continue;
        do {
          const r3 = <u32>ctz(todo);
          const first = (f >> r3) & NEIGHBOURS ? REFINE + 1 : REFINE;
          const context = CONTEXTS + ((f >> (20 + r3)) & 1 ? REFINE + 2 : first) * 8;
          let r = d - load<i32>(context);
          if (r < 0) r = decide(context, r);
          d = r & ~1;
          const to = values + column * 16 + ((r3 / 3) << 2);
          store<i32>(to, load<i32>(to) + (r & 1 ? half : -half));
          f |= 1 << (20 + r3);
          todo &= todo - 1;
        } while (todo);
        store<u32>(at, f);
      }
    }
  }
  distance = d;
}

/** All samples that were not visited, in runs where nothing is near. */
function cleanUp(value: u32): void {
  let d = distance;
  for (let s: usize = 0; s < stripes; s++) {
    const stripe = words + (s + 1) * stride + 4;
    const values = magnitudes + s * stripeBytes;
    const rows = s + 1 == stripes ? lastRows : ROWS;
    for (let column: usize = 0; column < across; column++) {
      const at = stripe + column * 4;
      let f = load<u32>(at);
      let todo = ~((f >> 4) | (f >> 21)) & rows;
      let found: u32 = 99;
      if (f == 0 && rows == ROWS) {
        let r = d - load<i32>(CONTEXTS + RUN * 8);
        if (r < 0) r = decide(CONTEXTS + RUN * 8, r);
        d = r & ~1;
        if ((r & 1) == 0) continue;
        r = d - load<i32>(CONTEXTS + UNIFORM * 8);
        if (r < 0) r = decide(CONTEXTS + UNIFORM * 8, r);
        found = (r & 1) << 1;
        r = (r & ~1) - load<i32>(CONTEXTS + UNIFORM * 8);
        if (r < 0) r = decide(CONTEXTS + UNIFORM * 8, r);
        d = r & ~1;
        found = (found | (r & 1)) * 3;
        todo &= -1 << found;
      }
      while (todo) {
        const r3 = <u32>ctz(todo);
        todo &= todo - 1;
        if (r3 != found) {
          const context = CONTEXTS + <usize>load<u8>(table + ((f >> r3) & NEIGHBOURS));
          let r = d - load<i32>(context);
          if (r < 0) r = decide(context, r);
          d = r & ~1;
          if ((r & 1) == 0) continue;
        }
        f = becomeSignificant(at, f, r3, d, value, values + column * 16);
        d = distance;
      }
      store<u32>(at, f & ~VISITED);
    }
  }
  distance = d;
}

/**
 * Decodes a block of `width` × `height` samples to `to`, rows of `pitch` bytes.
 *
 * @param from its bytes, which 0xff 0xff follow; `length` of them.
 * @param orientation 0 LL, 1 HL, 2 LH, 3 HH.
 * @param planes bit-planes that are coded, up to 30.
 * @param step samples are floats of half-integers × this; 0 for whole numbers without a fraction.
 */
export function decodeBlock(
  from: usize,
  length: u32,
  width: usize,
  height: usize,
  orientation: usize,
  planes: u32,
  passes: u32,
  step: f32,
  to: usize,
  pitch: usize,
): void {
  prepareContexts();
  stripes = (height + 3) >> 2;
  across = width;
  stride = ((width + 2 + 3) & ~3) * 4;
  stripeBytes = ((width + 3) & ~3) * 16;
  table = significance + orientation * 512;
  memory.fill(words, 0, (stripes + 2) * stride + 16);
  memory.fill(magnitudes, 0, stripes * stripeBytes);
  distance = startMq(from, length == 0);
  const last = <u32>(height & 3);
  lastRows = last == 0 ? ROWS : ROWS & ((1 << (last * 3)) - 1);
  let kind = 2;
  for (let pass: u32 = 0; pass < passes; pass++) {
    const one = <u32>1 << planes;
    if (kind == 0) propagate(one | (one >> 1));
    else if (kind == 1) refine(<i32>(one >> 1));
    else cleanUp(one | (one >> 1));
    if (++kind == 3) {
      kind = 0;
      planes--;
    }
  }
  for (let s: usize = 0; s < stripes; s++) {
    const values = magnitudes + s * stripeBytes;
    const count = s + 1 == stripes && last != 0 ? <usize>last : 4;
    for (let x: usize = 0; x < width; x += 4)
      putSquare(values + x * 16, step, to + s * 4 * pitch + x * 4, pitch, count, width - x);
  }
}

@inline
function valuesOf(column: v128, step: f32): v128 {
  const size = v128.and(column, i32x4.splat(0x7fffffff));
  if (step == 0) {
    const sign = i32x4.shr_s(column, 31);
    return i32x4.sub(v128.xor(i32x4.shr_u(size, 1), sign), sign);
  }
  const value = f32x4.mul(f32x4.convert_i32x4_s(size), f32x4.splat(step));
  return v128.or(value, v128.and(column, i32x4.splat(-0x80000000)));
}

/** Four columns as up to four rows of up to four samples. */
@inline
function putSquare(from: usize, step: f32, to: usize, pitch: usize, rows: usize, cols: usize): void {
  const a = valuesOf(v128.load(from), step);
  const b = valuesOf(v128.load(from, 16), step);
  const c = valuesOf(v128.load(from, 32), step);
  const d = valuesOf(v128.load(from, 48), step);
  const abl = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const abh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cdl = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cdh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  putRow(to, v128.shuffle<i64>(abl, cdl, 0, 2), cols);
  if (rows > 1) putRow(to + pitch, v128.shuffle<i64>(abl, cdl, 1, 3), cols);
  if (rows > 2) putRow(to + pitch * 2, v128.shuffle<i64>(abh, cdh, 0, 2), cols);
  if (rows > 3) putRow(to + pitch * 3, v128.shuffle<i64>(abh, cdh, 1, 3), cols);
}

@inline
function putRow(to: usize, row: v128, cols: usize): void {
  if (cols >= 4) {
    v128.store(to, row);
    return;
  }
  v128.store32_lane(to, row, 0);
  if (cols > 1) v128.store32_lane(to, row, 1, 4);
  if (cols > 2) v128.store32_lane(to, row, 2, 8);
}
