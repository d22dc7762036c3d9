/**
 * The loops of decoding JPEG 2000: code-blocks, wavelets, colours. plain-j2k.ts reads the headers and calls them;
 * plain-wasm.ts holds this compiled.
 */
import { convertRow, interleaveRow } from '../jpeg/colour';

export { decodeBlock } from './block';
export { inverse } from './wavelet';

/** First byte that the caller may use. */
export function heapStart(): usize {
  return (<usize>__heap_base + 63) & ~63;
}

export function clear(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}

@inline
function level(value: v128, whole: bool): v128 {
  return whole ? value : i32x4.trunc_sat_f32x4_s(f32x4.nearest(value));
}
@inline
function bytesOf(a: v128, b: v128, c: v128, d: v128, whole: bool): v128 {
  const middle = i16x8.splat(128);
  const low = i16x8.add_sat_s(i16x8.narrow_i32x4_s(level(a, whole), level(b, whole)), middle);
  const high = i16x8.add_sat_s(i16x8.narrow_i32x4_s(level(c, whole), level(d, whole)), middle);
  return i8x16.narrow_i16x8_u(low, high);
}
/** 16 samples of a component as they are. */
@inline
function plainBytes(plane: usize, at: usize, whole: bool): v128 {
  const from = plane + at;
  return bytesOf(v128.load(from), v128.load(from, 16), v128.load(from, 32), v128.load(from, 48), whole);
}

/** Four samples of red (0), green (1) or blue (2) by the inverse component transform (annex G.2 and G.3). */
@inline
function colour(which: i32, whole: bool, y: usize, u: usize, v: usize, at: usize): v128 {
  const ys = v128.load(y + at);
  const us = v128.load(u + at);
  const vs = v128.load(v + at);
  if (whole) {
    const green = i32x4.sub(ys, i32x4.shr_s(i32x4.add(us, vs), 2));
    return which == 0 ? i32x4.add(green, vs) : which == 1 ? green : i32x4.add(green, us);
  }
  if (which == 0) return f32x4.add(ys, f32x4.mul(vs, f32x4.splat(1.402)));
  if (which == 2) return f32x4.add(ys, f32x4.mul(us, f32x4.splat(1.772)));
  return f32x4.sub(f32x4.sub(ys, f32x4.mul(us, f32x4.splat(0.34413))), f32x4.mul(vs, f32x4.splat(0.71414)));
}
@inline
function colourBytes(which: i32, whole: bool, y: usize, u: usize, v: usize, at: usize): v128 {
  const a = colour(which, whole, y, u, v, at);
  const b = colour(which, whole, y, u, v, at + 16);
  const c = colour(which, whole, y, u, v, at + 32);
  const d = colour(which, whole, y, u, v, at + 48);
  return bytesOf(a, b, c, d, whole);
}

/** A row's planes of 32 bits as rows of bytes. */
@inline
function transformRow(y: usize, u: usize, v: usize, width: usize, whole: bool, r: usize, g: usize, b: usize): void {
  for (let i: usize = 0; i < width; i += 16) {
    v128.store(r + i, colourBytes(0, whole, y, u, v, i * 4));
    v128.store(g + i, colourBytes(1, whole, y, u, v, i * 4));
    v128.store(b + i, colourBytes(2, whole, y, u, v, i * 4));
  }
}
@inline
function plainRow(plane: usize, width: usize, whole: bool, to: usize): void {
  for (let i: usize = 0; i < width; i += 16) v128.store(to + i, plainBytes(plane, i * 4, whole));
}

/**
 * Three planes as RGB.
 *
 * @param transformed a component transform is to be undone.
 * @param yCbCr what then is there is YCbCr as of JFIF.
 * @param room three times the width and 192 bytes.
 */
export function toRgb(
  first: usize,
  second: usize,
  third: usize,
  pitch: usize,
  width: usize,
  height: usize,
  whole: bool,
  transformed: bool,
  yCbCr: bool,
  room: usize,
  to: usize,
): void {
  const other = room + ((width + 63) & ~15);
  const another = other + ((width + 63) & ~15);
  for (let y: usize = 0; y < height; y++, to += width * 3) {
    const at = y * pitch;
    if (transformed) {
      if (whole) transformRow(first + at, second + at, third + at, width, true, room, other, another);
      else transformRow(first + at, second + at, third + at, width, false, room, other, another);
    } else if (whole) {
      plainRow(first + at, width, true, room);
      plainRow(second + at, width, true, other);
      plainRow(third + at, width, true, another);
    } else {
      plainRow(first + at, width, false, room);
      plainRow(second + at, width, false, other);
      plainRow(third + at, width, false, another);
    }
    if (yCbCr) convertRow(room, other, another, <u32>width, to);
    else interleaveRow(room, other, another, <u32>width, to);
  }
}
