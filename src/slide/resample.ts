import type { Region } from './assemble.js';

/** Copies level pixels [x, x + width) × [y, y + height) into `band`, RGB. */
type ReadBand = (x: number, y: number, width: number, height: number, band: Uint8Array) => Promise<void>;

/** Largest piece of a level held at once while it is reduced, bytes. */
const BAND_BYTES = 4 * 2 ** 20;

/**
 * Resamples by exact area averaging: an output pixel is the mean of the level pixels it covers, weighted by the covered
 * area; parts outside the level have no weight. Reduces in bands of rows, so that memory does not grow with the scale.
 */
export class BoxResampler {
  #band = new Uint8Array(0);
  #sums = new Float32Array(0);

  async run(
    region: Region,
    levelWidth: number,
    levelHeight: number,
    into: Uint8Array,
    readBand: ReadBand,
  ): Promise<void> {
    const { width, height, scale } = region;
    const across = spans(region.x, width, scale, levelWidth, region.slideWidth);
    const down = spans(region.y, height, scale, levelHeight, region.slideHeight);
    if (across.end <= across.start || down.end <= down.start || across.to < across.from || down.to < down.from) {
      into.fill(0, 0, width * height * 3);
      return;
    }
    if (across.from > 0 || across.to < width || down.from > 0 || down.to < height) into.fill(0, 0, width * height * 3);
    const bandWidth = across.end - across.start;
    const rowsAtOnce = Math.max(1, Math.floor(BAND_BYTES / (bandWidth * 3 * (scale + 1))));
    if (this.#sums.length < bandWidth * 3) this.#sums = new Float32Array(bandWidth * 3);
    for (let row = down.from; row < down.to; row += rowsAtOnce) {
      const last = Math.min(down.to, row + rowsAtOnce) - 1;
      const top = down.first[row] as number;
      const bandHeight = (down.first[last] as number) + (down.count[last] as number) - top;
      const bytes = bandWidth * bandHeight * 3;
      if (this.#band.length < bytes) this.#band = new Uint8Array(bytes);
      await readBand(across.start, top, bandWidth, bandHeight, this.#band);
      for (let y = row; y <= last; y++) {
        this.#addRows(down, y, top, bandWidth * 3);
        this.#averageColumns(across, into, y * width);
      }
    }
  }

  /** Weighted sum of the level rows that output row `y` covers. */
  #addRows(down: Spans, y: number, top: number, length: number): void {
    const sums = this.#sums;
    const band = this.#band;
    const first = (down.first[y] as number) - top;
    const count = down.count[y] as number;
    for (let j = 0; j < count; j++) {
      const weight = weightOf(down, y, j);
      const at = (first + j) * length;
      if (j === 0) for (let i = 0; i < length; i++) sums[i] = (band[at + i] as number) * weight;
      else if (weight === 1) for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (band[at + i] as number);
      else for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (band[at + i] as number) * weight;
    }
    this.#height = down.total[y] as number;
  }

  #height = 0;

  #averageColumns(across: Spans, into: Uint8Array, rowStart: number): void {
    const sums = this.#sums;
    for (let x = across.from; x < across.to; x++) {
      const count = across.count[x] as number;
      let at = ((across.first[x] as number) - across.start) * 3;
      let weight = across.head[x] as number;
      let r = (sums[at] as number) * weight;
      let g = (sums[at + 1] as number) * weight;
      let b = (sums[at + 2] as number) * weight;
      for (let j = 1; j < count; j++) {
        at += 3;
        weight = j === count - 1 ? (across.tail[x] as number) : 1;
        r += (sums[at] as number) * weight;
        g += (sums[at + 1] as number) * weight;
        b += (sums[at + 2] as number) * weight;
      }
      const area = 1 / ((across.total[x] as number) * this.#height);
      const to = (rowStart + x) * 3;
      into[to] = r * area + 0.5;
      into[to + 1] = g * area + 0.5;
      into[to + 2] = b * area + 0.5;
    }
  }
}

/** Which level pixels each output pixel of one axis covers, and how much of the first and the last of them. */
interface Spans {
  /** Output pixels [from, to) lie in the slide. */
  readonly from: number;
  readonly to: number;
  /** Level pixels [start, end) are needed for them. */
  readonly start: number;
  readonly end: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly head: Float64Array;
  readonly tail: Float64Array;
  readonly total: Float64Array;
}

function spans(origin: number, size: number, scale: number, levelSize: number, slideSize: number): Spans {
  const from = Math.max(0, -origin);
  const to = Math.min(size, slideSize - origin);
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const head = new Float64Array(size);
  const tail = new Float64Array(size);
  const total = new Float64Array(size);
  let start = levelSize;
  let end = 0;
  for (let i = from; i < to; i++) {
    // A rounded slide size may reach past the level by less than one output pixel, which then has its last level pixel.
    const low = Math.min((origin + i) * scale, levelSize - 1);
    const high = Math.max(Math.min((origin + i + 1) * scale, levelSize), low + Number.EPSILON);
    const begin = Math.floor(low);
    const stop = Math.max(begin + 1, Math.ceil(high - 1e-9));
    first[i] = begin;
    count[i] = stop - begin;
    head[i] = Math.min(begin + 1, high) - low;
    tail[i] = high - (stop - 1);
    total[i] = high - low;
    start = Math.min(start, begin);
    end = Math.max(end, stop);
  }
  return { from, to, start, end, first, count, head, tail, total };
}

function weightOf(axis: Spans, i: number, j: number): number {
  if (j === 0) return axis.head[i] as number;
  return j === (axis.count[i] as number) - 1 ? (axis.tail[i] as number) : 1;
}
