/** From planes of samples to RGB: libjpeg's "fancy" upsampling and its YCbCr conversion (ITU-T T.871), to the bit. */

/** Samples of planes lie between margins of this many bytes, which the upsampling fills with the row's ends. */
export const MARGIN: usize = 32;

@inline
function weigh(near: v128, far: v128): v128 {
  return i16x8.add(i16x8.add(near, i16x8.shl(near, 1)), far);
}
@inline
function interleaveLow(even: v128, odd: v128): v128 {
  return v128.shuffle<u8>(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** Repeats a row's first and last sample beside it. */
function extendRow(row: usize, width: usize): void {
  store<u8>(row - 1, load<u8>(row));
  store<u8>(row + width, load<u8>(row + width - 1));
}

/** Twice as wide: each sample between its neighbours, 3 : 1. */
export function widen(row: usize, width: usize, to: usize): void {
  extendRow(row, width);
  for (let i: usize = 0; i < width; i += 8) {
    const here = i16x8.extend_low_i8x16_u(v128.load64_zero(row + i));
    const before = i16x8.extend_low_i8x16_u(v128.load64_zero(row + i - 1));
    const after = i16x8.extend_low_i8x16_u(v128.load64_zero(row + i + 1));
    const even = i16x8.shr_u(i16x8.add(weigh(here, before), i16x8.splat(1)), 2);
    const odd = i16x8.shr_u(i16x8.add(weigh(here, after), i16x8.splat(2)), 2);
    v128.store(to + i * 2, interleaveLow(i8x16.narrow_i16x8_u(even, even), i8x16.narrow_i16x8_u(odd, odd)));
  }
}

/** One row of an image twice as high: `near` and the row that is next nearest, 3 : 1. `bias`: 1 in upper rows, 2 in lower. */
export function heighten(near: usize, far: usize, width: usize, bias: i16, to: usize): void {
  for (let i: usize = 0; i < width; i += 8) {
    const sum = weigh(
      i16x8.extend_low_i8x16_u(v128.load64_zero(near + i)),
      i16x8.extend_low_i8x16_u(v128.load64_zero(far + i)),
    );
    const mean = i16x8.shr_u(i16x8.add(sum, i16x8.splat(bias)), 2);
    v128.store64_lane(to + i, i8x16.narrow_i16x8_u(mean, mean), 0);
  }
}

/** Both at once, rounded once. `sums`: room for width + 2 sums of 16 bits. */
export function enlarge(near: usize, far: usize, width: usize, sums: usize, to: usize): void {
  extendRow(near, width);
  extendRow(far, width);
  for (let i: usize = 0; i < width + 2; i += 8)
    v128.store(
      sums + i * 2,
      weigh(
        i16x8.extend_low_i8x16_u(v128.load64_zero(near + i - 1)),
        i16x8.extend_low_i8x16_u(v128.load64_zero(far + i - 1)),
      ),
    );
  for (let i: usize = 0; i < width; i += 8) {
    const before = v128.load(sums + i * 2);
    const here = v128.load(sums + i * 2, 2);
    const after = v128.load(sums + i * 2, 4);
    const even = i16x8.shr_u(i16x8.add(weigh(here, before), i16x8.splat(8)), 4);
    const odd = i16x8.shr_u(i16x8.add(weigh(here, after), i16x8.splat(7)), 4);
    v128.store(to + i * 2, interleaveLow(i8x16.narrow_i16x8_u(even, even), i8x16.narrow_i16x8_u(odd, odd)));
  }
}

/** 16 pixels as 48 bytes. */
@inline
function putRgb(to: usize, r: v128, g: v128, b: v128): void {
  const first = interleaveLow(r, g);
  const second = v128.shuffle<u8>(r, g, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 0, 0, 0, 0);
  const third = v128.shuffle<u8>(r, g, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31, 0, 0, 0, 0, 0, 0);
  v128.store(to, v128.shuffle<u8>(first, b, 0, 1, 16, 2, 3, 17, 4, 5, 18, 6, 7, 19, 8, 9, 20, 10));
  v128.store(to, v128.shuffle<u8>(second, b, 1, 21, 2, 3, 22, 4, 5, 23, 6, 7, 24, 8, 9, 25, 10, 11), 16);
  v128.store(to, v128.shuffle<u8>(third, b, 26, 0, 1, 27, 2, 3, 28, 4, 5, 29, 6, 7, 30, 8, 9, 31), 32);
}

/** (value × factor + half) / 2^16, rounded down. */
@inline
function scaled(value: v128, factor: i16): v128 {
  const half = i32x4.splat(1 << 15);
  const factors = i16x8.splat(factor);
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(i32x4.extmul_low_i16x8_s(value, factors), half), 16),
    i32x4.shr_s(i32x4.add(i32x4.extmul_high_i16x8_s(value, factors), half), 16),
  );
}

/** 65536 × 0.402, −0.228, −0.344136 and 0.285864: the factors less the whole numbers that are added apart. */
const RED: i16 = 26345;
const BLUE: i16 = -14942;
const GREEN_CB: i16 = -22554;
const GREEN_CR: i16 = 18734;

@inline
function red(y: v128, cr: v128): v128 {
  return i16x8.add(i16x8.add(y, cr), scaled(cr, RED));
}
@inline
function blue(y: v128, cb: v128): v128 {
  return i16x8.add(i16x8.add(y, i16x8.shl(cb, 1)), scaled(cb, BLUE));
}
@inline
function green(y: v128, cb: v128, cr: v128): v128 {
  const half = i32x4.splat(1 << 15);
  const factors = i16x8(GREEN_CB, GREEN_CR, GREEN_CB, GREEN_CR, GREEN_CB, GREEN_CR, GREEN_CB, GREEN_CR);
  const low = i32x4.dot_i16x8_s(v128.shuffle<i16>(cb, cr, 0, 8, 1, 9, 2, 10, 3, 11), factors);
  const high = i32x4.dot_i16x8_s(v128.shuffle<i16>(cb, cr, 4, 12, 5, 13, 6, 14, 7, 15), factors);
  const part = i16x8.narrow_i32x4_s(i32x4.shr_s(i32x4.add(low, half), 16), i32x4.shr_s(i32x4.add(high, half), 16));
  return i16x8.sub(i16x8.add(y, part), cr);
}

/** One row of YCbCr as RGB; writes up to 48 bytes past its end. */
export function convertRow(y: usize, cb: usize, cr: usize, width: usize, to: usize): void {
  const centre = i16x8.splat(128);
  for (let i: usize = 0; i < width; i += 16, to += 48) {
    const ys = v128.load(y + i);
    const cbs = v128.load(cb + i);
    const crs = v128.load(cr + i);
    const yl = i16x8.extend_low_i8x16_u(ys);
    const yh = i16x8.extend_high_i8x16_u(ys);
    const bl = i16x8.sub(i16x8.extend_low_i8x16_u(cbs), centre);
    const bh = i16x8.sub(i16x8.extend_high_i8x16_u(cbs), centre);
    const rl = i16x8.sub(i16x8.extend_low_i8x16_u(crs), centre);
    const rh = i16x8.sub(i16x8.extend_high_i8x16_u(crs), centre);
    putRgb(
      to,
      i8x16.narrow_i16x8_u(red(yl, rl), red(yh, rh)),
      i8x16.narrow_i16x8_u(green(yl, bl, rl), green(yh, bh, rh)),
      i8x16.narrow_i16x8_u(blue(yl, bl), blue(yh, bh)),
    );
  }
}

/** One row of three planes as they are; likewise. */
export function interleaveRow(red: usize, green: usize, blue: usize, width: usize, to: usize): void {
  for (let i: usize = 0; i < width; i += 16, to += 48)
    putRgb(to, v128.load(red + i), v128.load(green + i), v128.load(blue + i));
}
