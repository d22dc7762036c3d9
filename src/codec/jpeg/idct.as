/**
 * The inverse DCT that libjpeg calls "islow" (Loeffler, Ligtenberg and Moschytz, ICASSP 1989, with 13-bit constants): in 16
 * and 32 bits as libjpeg-turbo's x86 code has it, so that the samples are the same to the bit.
 */

@inline
function pair(a: i16, b: i16): v128 {
  return i16x8(a, b, a, b, a, b, a, b);
}

/** Constants × 2^13. */
const F_0_298: i16 = 2446;
const F_0_390: i16 = 3196;
const F_0_541: i16 = 4433;
const F_0_765: i16 = 6270;
const F_0_899: i16 = 7373;
const F_1_175: i16 = 9633;
const F_1_501: i16 = 12299;
const F_1_847: i16 = 15137;
const F_1_961: i16 = 16069;
const F_2_053: i16 = 16819;
const F_2_562: i16 = 20995;
const F_3_072: i16 = 25172;

/** Rows in and out of a pass. */
let r0: v128 = i64x2.splat(0);
let r1: v128 = i64x2.splat(0);
let r2: v128 = i64x2.splat(0);
let r3: v128 = i64x2.splat(0);
let r4: v128 = i64x2.splat(0);
let r5: v128 = i64x2.splat(0);
let r6: v128 = i64x2.splat(0);
let r7: v128 = i64x2.splat(0);

@inline
function low(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
@inline
function high(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
@inline
function dot(a: v128, b: v128): v128 {
  return i32x4.dot_i16x8_s(a, b);
}
@inline
function descale(a: v128, b: v128, shift: i32): v128 {
  const half = i32x4.splat(1 << (shift - 1));
  return i16x8.narrow_i32x4_s(i32x4.shr_s(i32x4.add(a, half), shift), i32x4.shr_s(i32x4.add(b, half), shift));
}
/** 16-bit lanes × 2^13 in 32 bits. */
@inline
function scaledLow(a: v128): v128 {
  return i32x4.shl(i32x4.extend_low_i16x8_s(a), 13);
}
@inline
function scaledHigh(a: v128): v128 {
  return i32x4.shl(i32x4.extend_high_i16x8_s(a), 13);
}

/** One pass over columns, and a transposition. */
@inline
function pass(shift: i32): void {
  // Even part.
  const z23l = low(r2, r6);
  const z23h = high(r2, r6);
  const e3l = dot(z23l, pair(F_0_541 + F_0_765, F_0_541));
  const e3h = dot(z23h, pair(F_0_541 + F_0_765, F_0_541));
  const e2l = dot(z23l, pair(F_0_541, F_0_541 - F_1_847));
  const e2h = dot(z23h, pair(F_0_541, F_0_541 - F_1_847));
  const sum = i16x8.add(r0, r4);
  const difference = i16x8.sub(r0, r4);
  const e0l = scaledLow(sum);
  const e0h = scaledHigh(sum);
  const e1l = scaledLow(difference);
  const e1h = scaledHigh(difference);
  const t10l = i32x4.add(e0l, e3l);
  const t10h = i32x4.add(e0h, e3h);
  const t13l = i32x4.sub(e0l, e3l);
  const t13h = i32x4.sub(e0h, e3h);
  const t11l = i32x4.add(e1l, e2l);
  const t11h = i32x4.add(e1h, e2h);
  const t12l = i32x4.sub(e1l, e2l);
  const t12h = i32x4.sub(e1h, e2h);
  // Odd part.
  const z3 = i16x8.add(r3, r7);
  const z4 = i16x8.add(r1, r5);
  const zl = low(z3, z4);
  const zh = high(z3, z4);
  const z3l = dot(zl, pair(F_1_175 - F_1_961, F_1_175));
  const z3h = dot(zh, pair(F_1_175 - F_1_961, F_1_175));
  const z4l = dot(zl, pair(F_1_175, F_1_175 - F_0_390));
  const z4h = dot(zh, pair(F_1_175, F_1_175 - F_0_390));
  const o71l = low(r7, r1);
  const o71h = high(r7, r1);
  const o53l = low(r5, r3);
  const o53h = high(r5, r3);
  const t0l = i32x4.add(dot(o71l, pair(F_0_298 - F_0_899, -F_0_899)), z3l);
  const t0h = i32x4.add(dot(o71h, pair(F_0_298 - F_0_899, -F_0_899)), z3h);
  const t3l = i32x4.add(dot(o71l, pair(-F_0_899, F_1_501 - F_0_899)), z4l);
  const t3h = i32x4.add(dot(o71h, pair(-F_0_899, F_1_501 - F_0_899)), z4h);
  const t1l = i32x4.add(dot(o53l, pair(F_2_053 - F_2_562, -F_2_562)), z4l);
  const t1h = i32x4.add(dot(o53h, pair(F_2_053 - F_2_562, -F_2_562)), z4h);
  const t2l = i32x4.add(dot(o53l, pair(-F_2_562, F_3_072 - F_2_562)), z3l);
  const t2h = i32x4.add(dot(o53h, pair(-F_2_562, F_3_072 - F_2_562)), z3h);
  const a0 = descale(i32x4.add(t10l, t3l), i32x4.add(t10h, t3h), shift);
  const a7 = descale(i32x4.sub(t10l, t3l), i32x4.sub(t10h, t3h), shift);
  const a1 = descale(i32x4.add(t11l, t2l), i32x4.add(t11h, t2h), shift);
  const a6 = descale(i32x4.sub(t11l, t2l), i32x4.sub(t11h, t2h), shift);
  const a2 = descale(i32x4.add(t12l, t1l), i32x4.add(t12h, t1h), shift);
  const a5 = descale(i32x4.sub(t12l, t1l), i32x4.sub(t12h, t1h), shift);
  const a3 = descale(i32x4.add(t13l, t0l), i32x4.add(t13h, t0h), shift);
  const a4 = descale(i32x4.sub(t13l, t0l), i32x4.sub(t13h, t0h), shift);
  // 8 × 8 transposition by three rounds of interleaving.
  const b0 = low(a0, a4);
  const b1 = high(a0, a4);
  const b2 = low(a1, a5);
  const b3 = high(a1, a5);
  const b4 = low(a2, a6);
  const b5 = high(a2, a6);
  const b6 = low(a3, a7);
  const b7 = high(a3, a7);
  const c0 = low(b0, b4);
  const c1 = high(b0, b4);
  const c2 = low(b1, b5);
  const c3 = high(b1, b5);
  const c4 = low(b2, b6);
  const c5 = high(b2, b6);
  const c6 = low(b3, b7);
  const c7 = high(b3, b7);
  r0 = low(c0, c4);
  r1 = high(c0, c4);
  r2 = low(c1, c5);
  r3 = high(c1, c5);
  r4 = low(c2, c6);
  r5 = high(c2, c6);
  r6 = low(c3, c7);
  r7 = high(c3, c7);
}

/** Bits of the rows below the first. */
@inline
function anyBelow(block: usize): v128 {
  const upper = v128.or(v128.or(v128.load(block, 16), v128.load(block, 32)), v128.load(block, 48));
  const lower = v128.or(v128.or(v128.load(block, 64), v128.load(block, 80)), v128.load(block, 96));
  return v128.or(v128.or(upper, lower), v128.load(block, 112));
}

@inline
function coefficients(block: usize, quantisers: usize, row: usize): v128 {
  return i16x8.mul(v128.load(block + row * 16), v128.load(quantisers + row * 16));
}

/** The first pass where all rows but the first are zero. Wraps where the whole pass would saturate, like libjpeg-turbo. */
@inline
function passFlat(): void {
  const level = i16x8.shl(r0, 2);
  r0 = v128.shuffle<i16>(level, level, 0, 0, 0, 0, 0, 0, 0, 0);
  r1 = v128.shuffle<i16>(level, level, 1, 1, 1, 1, 1, 1, 1, 1);
  r2 = v128.shuffle<i16>(level, level, 2, 2, 2, 2, 2, 2, 2, 2);
  r3 = v128.shuffle<i16>(level, level, 3, 3, 3, 3, 3, 3, 3, 3);
  r4 = v128.shuffle<i16>(level, level, 4, 4, 4, 4, 4, 4, 4, 4);
  r5 = v128.shuffle<i16>(level, level, 5, 5, 5, 5, 5, 5, 5, 5);
  r6 = v128.shuffle<i16>(level, level, 6, 6, 6, 6, 6, 6, 6, 6);
  r7 = v128.shuffle<i16>(level, level, 7, 7, 7, 7, 7, 7, 7, 7);
}

@inline
function put(to: usize, stride: usize, a: v128, b: v128): void {
  const bytes = v128.xor(i8x16.narrow_i16x8_s(a, b), i8x16.splat(-128));
  v128.store64_lane(to, bytes, 0);
  v128.store64_lane(to + stride, bytes, 1);
}

/** Samples of a block of 64 coefficients in natural order, both of 16 bits, to 8 rows of 8 bytes. */
export function inverse(block: usize, quantisers: usize, to: usize, stride: usize): void {
  r0 = coefficients(block, quantisers, 0);
  if (v128.any_true(anyBelow(block))) {
    r1 = coefficients(block, quantisers, 1);
    r2 = coefficients(block, quantisers, 2);
    r3 = coefficients(block, quantisers, 3);
    r4 = coefficients(block, quantisers, 4);
    r5 = coefficients(block, quantisers, 5);
    r6 = coefficients(block, quantisers, 6);
    r7 = coefficients(block, quantisers, 7);
    pass(11);
  } else passFlat();
  pass(18);
  put(to, stride, r0, r1);
  put(to + stride * 2, stride, r2, r3);
  put(to + stride * 4, stride, r4, r5);
  put(to + stride * 6, stride, r6, r7);
}

/** The same for a block that has a first coefficient only. */
export function inverseFlat(value: i16, quantiser: i16, to: usize, stride: usize): void {
  const level = i16x8.shr_s(i16x8.add_sat_s(i16x8.shl(i16x8.splat(value * quantiser), 2), i16x8.splat(16)), 5);
  for (let row = 0; row < 4; row++) put(to + stride * 2 * row, stride, level, level);
}
