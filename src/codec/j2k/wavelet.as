/**
 * The inverse wavelet transforms (ISO/IEC 15444-1, annex F): 9-7 in floats, 5-3 in whole numbers, on a plane whose upper
 * left holds the smaller resolution. Low and high samples lie apart, which suits vectors: every lifting step then takes a
 * sample of one kind and two neighbours of the other. The picture starts at 0, so rows and columns start with a low sample.
 */

const ALPHA: f32 = -1.586134342;
const BETA: f32 = -0.052980118;
const GAMMA: f32 = 0.882911075;
const DELTA: f32 = 0.443506852;
/** What low and high samples are scaled by. */
const LOW: f32 = 1.230174105;
const HIGH: f32 = 1.625732422;

/** Steps: 0 to 3 of the 9-7 transform, 4 and 5 of the 5-3; even ones change low samples. */
@inline
function lift(step: i32, x: v128, a: v128, b: v128): v128 {
  if (step == 4) return i32x4.sub(x, i32x4.shr_s(i32x4.add(i32x4.add(a, b), i32x4.splat(2)), 2));
  if (step == 5) return i32x4.add(x, i32x4.shr_s(i32x4.add(a, b), 1));
  const factor = step == 0 ? -DELTA : step == 1 ? -GAMMA : step == 2 ? -BETA : -ALPHA;
  return f32x4.add(x, f32x4.mul(f32x4.add(a, b), f32x4.splat(factor)));
}

@inline
function liftLow(step: i32, low: usize, high: usize, lows: usize, highs: usize): void {
  store<u32>(high - 4, load<u32>(high));
  store<u32>(high + highs * 4, load<u32>(high + highs * 4 - 4));
  for (let i: usize = 0; i < lows * 4; i += 16)
    v128.store(low + i, lift(step, v128.load(low + i), v128.load(high + i - 4), v128.load(high + i)));
}
@inline
function liftHigh(step: i32, low: usize, high: usize, lows: usize, highs: usize): void {
  store<u32>(low + lows * 4, load<u32>(low + lows * 4 - 4));
  for (let i: usize = 0; i < highs * 4; i += 16)
    v128.store(high + i, lift(step, v128.load(high + i), v128.load(low + i), v128.load(low + i + 4)));
}
@inline
function scaleRow(from: usize, to: usize, count: usize, factor: f32): void {
  for (let i: usize = 0; i < count * 4; i += 16) {
    const samples = v128.load(from + i);
    v128.store(to + i, factor == 0 ? samples : f32x4.mul(samples, f32x4.splat(factor)));
  }
}

/** One row, in place. */
@inline
function row(whole: bool, at: usize, count: usize, room: usize): void {
  const lows = (count + 1) >> 1;
  const highs = count >> 1;
  const low = room + 16;
  const high = low + ((lows * 4 + 63) & ~15);
  scaleRow(at, low, lows, whole ? 0 : LOW);
  scaleRow(at + lows * 4, high, highs, whole ? 0 : HIGH);
  if (whole) {
    liftLow(4, low, high, lows, highs);
    liftHigh(5, low, high, lows, highs);
  } else {
    liftLow(0, low, high, lows, highs);
    liftHigh(1, low, high, lows, highs);
    liftLow(2, low, high, lows, highs);
    liftHigh(3, low, high, lows, highs);
  }
  // Where the row does not fill its last vectors, another band stands behind it.
  const fits = (count & 7) == 0;
  const to = fits ? at : high + ((highs * 4 + 63) & ~15);
  for (let i: usize = 0; i < lows * 4; i += 16) {
    const a = v128.load(low + i);
    const b = v128.load(high + i);
    v128.store(to + i * 2, v128.shuffle<i32>(a, b, 0, 4, 1, 5));
    v128.store(to + i * 2, v128.shuffle<i32>(a, b, 2, 6, 3, 7), 16);
  }
  if (!fits) memory.copy(at, to, count * 4);
}

/** Columns are worked on 16 at a time, as rows of 64 bytes. */
const STRIP: usize = 64;

@inline
function copyStrip(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}
/** A step on every other row, from the first or second on. */
@inline
function liftColumns(step: i32, rows: usize, count: usize): void {
  copyStrip(rows - STRIP, rows + STRIP);
  copyStrip(rows + count * STRIP, rows + (count - 2) * STRIP);
  for (let y: usize = step & 1; y < count; y += 2) {
    const at = rows + y * STRIP;
    for (let i: usize = 0; i < STRIP; i += 16)
      v128.store(at + i, lift(step, v128.load(at + i), v128.load(at + i - STRIP), v128.load(at + i + STRIP)));
  }
}

/** 16 columns of the 5-3 transform, to `rows`, low and high samples in turn. */
@inline
function wholeColumns(at: usize, pitch: usize, count: usize, rows: usize): void {
  const lows = (count + 1) >> 1;
  for (let y: usize = 0; y < lows; y++) copyStrip(rows + y * 2 * STRIP, at + y * pitch);
  for (let y = lows; y < count; y++) copyStrip(rows + ((y - lows) * 2 + 1) * STRIP, at + y * pitch);
  liftColumns(4, rows, count);
  liftColumns(5, rows, count);
}

@inline
function scaled(at: usize, factor: f32): v128 {
  return f32x4.mul(v128.load(at), f32x4.splat(factor));
}

/**
 * The same of the 9-7 transform. All steps go down the columns together, each a sample behind the one before, so that
 * samples are loaded and stored once: `d` and `s` are high and low samples after as many steps as their number says.
 */
@inline
function floatColumns(at: usize, pitch: usize, count: usize, rows: usize): void {
  const lows = (count + 1) >> 1;
  const highs = count >> 1;
  for (let i: usize = 0; i < STRIP; i += 16) {
    let low = at + i;
    let high = at + lows * pitch + i;
    let to = rows + i;
    let d0 = scaled(high, HIGH);
    let s1 = lift(0, scaled(low, LOW), d0, d0);
    let d1 = d0;
    let s2 = s1;
    for (let y: usize = 1; y < lows; y++) {
      low += pitch;
      high += pitch;
      const nextD0 = y < highs ? scaled(high, HIGH) : d0;
      const nextS1 = lift(0, scaled(low, LOW), d0, nextD0);
      const nextD1 = lift(1, d0, s1, nextS1);
      const nextS2 = lift(2, s1, y == 1 ? nextD1 : d1, nextD1);
      if (y > 1) v128.store(to - STRIP, lift(3, d1, s2, nextS2));
      v128.store(to, nextS2);
      to += STRIP * 2;
      d0 = nextD0;
      s1 = nextS1;
      d1 = nextD1;
      s2 = nextS2;
    }
    const lastD1 = highs == lows ? lift(1, d0, s1, s1) : d1;
    const lastS2 = lift(2, s1, lows == 1 ? lastD1 : d1, lastD1);
    if (lows > 1) v128.store(to - STRIP, lift(3, d1, s2, lastS2));
    v128.store(to, lastS2);
    if (highs == lows) v128.store(to + STRIP, lift(3, lastD1, lastS2, lastS2));
  }
}

/** 16 columns or the last `bytes` / 4, in place. */
@inline
function columns(whole: bool, at: usize, pitch: usize, count: usize, bytes: usize, room: usize): void {
  const rows = room + STRIP;
  if (whole) wholeColumns(at, pitch, count, rows);
  else floatColumns(at, pitch, count, rows);
  if (bytes >= STRIP) for (let y: usize = 0; y < count; y++) copyStrip(at + y * pitch, rows + y * STRIP);
  else for (let y: usize = 0; y < count; y++) memory.copy(at + y * pitch, rows + y * STRIP, bytes);
}

/**
 * Undoes all levels.
 *
 * @param pitch bytes a row, a multiple of 64 and 64 more than the samples take.
 * @param room 80 bytes for each sample of the longer side, and 512.
 */
export function inverse(
  plane: usize,
  pitch: usize,
  width: usize,
  height: usize,
  levels: usize,
  whole: bool,
  room: usize,
): void {
  for (let level = levels; level-- > 0; ) {
    const w = (width + (1 << level) - 1) >> level;
    const h = (height + (1 << level) - 1) >> level;
    // One sample alone stays as it is.
    if (w > 1)
      for (let y: usize = 0; y < h; y++) {
        if (whole) row(true, plane + y * pitch, w, room);
        else row(false, plane + y * pitch, w, room);
      }
    if (h > 1)
      for (let x: usize = 0; x < w * 4; x += STRIP) {
        if (whole) columns(true, plane + x, pitch, h, w * 4 - x, room);
        else columns(false, plane + x, pitch, h, w * 4 - x, room);
      }
  }
}
