import { StromaflowError } from '../errors.js';
import type { PixelMemory } from './pixel-memory.js';
import type { Region } from './region.js';

/** Copies level pixels [x, x + width) × [y, y + height) to address `band`, RGB. */
type ReadBand = (x: number, y: number, width: number, height: number, band: number) => Promise<void>;

/** Largest piece of a level held at once while it is reduced, bytes. */
const BAND_BYTES = 4 * 2 ** 20;

/** Bytes of one entry of the table that the averageRow kernel reads. */
const SPAN_BYTES = 20;

/**
 * Resamples by exact area averaging: an output pixel is the mean of the level pixels it covers, weighted by the covered
 * area; parts outside the level have no weight. Takes the level in bands of rows, so that memory does not grow with the
 * scale.
 */
export class BoxResampler {
  readonly #memory: PixelMemory;
  readonly #name: string;

  /** @param name tells its areas of the memory from those of another one that runs at the same time. */
  constructor(memory: PixelMemory, name = '') {
    this.#memory = memory;
    this.#name = name;
  }

  /**
   * @param into address of the region's pixels.
   * @throws SLIDE_SPACING when a single row of the level would not fit a band.
   */
  async run(region: Region, levelWidth: number, levelHeight: number, into: number, readBand: ReadBand): Promise<void> {
    const { width, height, scale } = region;
    const { kernels } = this.#memory;
    const across = spansOf(region.x, width, scale, levelWidth, region.slideWidth);
    const down = spansOf(region.y, height, scale, levelHeight, region.slideHeight);
    const rowBytes = (across.end - across.start) * 3;
    if (rowBytes > BAND_BYTES)
      throw new StromaflowError('SLIDE_SPACING', `cannot reduce a level by ${scale.toFixed(1)} at once`);
    if (across.from > 0 || across.to < width || down.from > 0 || down.to < height)
      kernels.fill(into, width * 3, width * 3, height, 0);
    if (across.to <= across.from || down.to <= down.from) return;
    const bandRows = Math.floor(BAND_BYTES / rowBytes);
    const band = this.#memory.area(`band${this.#name}`, BAND_BYTES);
    if (scale === 2 && bandRows > 1 && isWhole(across) && isWhole(down))
      return this.#halve(across, down, width, bandRows >> 1, band, into, readBand);
    const sums = this.#memory.area(`row sums${this.#name}`, rowBytes * 4 + 64);
    const table = this.#memory.area(`spans${this.#name}`, width * SPAN_BYTES);
    writeSpans(across, this.#memory.view(table, width * SPAN_BYTES));
    const count = across.to - across.from;
    let top = 0;
    let rows = 0;
    for (let y = down.from; y < down.to; y++) {
      kernels.fill(sums, 0, rowBytes * 4, 1, 0);
      const first = down.first[y] as number;
      const covered = down.count[y] as number;
      for (let j = 0; j < covered; j++) {
        const row = first + j;
        if (row >= top + rows) {
          top = row;
          rows = Math.min(bandRows, down.end - row);
          await readBand(across.start, top, across.end - across.start, rows, band);
        }
        kernels.addRow(sums, band + (row - top) * rowBytes, rowBytes, weightOf(down, y, j));
      }
      const to = into + (y * width + across.from) * 3;
      kernels.averageRow(to, sums, table, count, 1 / (down.total[y] as number));
    }
  }

  /** A slide of half the spacing wanted needs this for each of its patches: the same means, in whole numbers. */
  async #halve(
    across: Spans,
    down: Spans,
    width: number,
    mostRows: number,
    band: number,
    into: number,
    readBand: ReadBand,
  ): Promise<void> {
    const count = across.to - across.from;
    for (let y = down.from; y < down.to; y += mostRows) {
      const rows = Math.min(mostRows, down.to - y);
      await readBand(across.start, down.first[y]!, count * 2, rows * 2, band);
      this.#memory.kernels.halve(into + (y * width + across.from) * 3, width * 3, band, count, rows);
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

/** @param origin of the interval, in output pixels. */
export function spansOf(origin: number, size: number, scale: number, levelSize: number, slideSize: number): Spans {
  const from = Math.max(0, -origin);
  const to = Math.max(from, Math.min(size, slideSize - origin));
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const head = new Float64Array(size);
  const tail = new Float64Array(size);
  const total = new Float64Array(size);
  let start = levelSize;
  let end = 0;
  for (let i = from; i < to; i++) {
    // A rounded slide size may reach past the level by less than one output pixel, which then has its last level pixel.
    const high = Math.min((origin + i + 1) * scale, levelSize);
    const low = Math.min((origin + i) * scale, high - 1e-6);
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
  return { from, to, start: Math.min(start, end), end, first, count, head, tail, total };
}

/** True where every output pixel covers as much of the level as the next: only the last can reach past it. */
const isWhole = ({ to, total }: Spans): boolean => total[to - 1] === 2;

function weightOf(axis: Spans, i: number, j: number): number {
  if (j === 0) return axis.head[i] as number;
  return j === (axis.count[i] as number) - 1 ? (axis.tail[i] as number) : 1;
}

function writeSpans(across: Spans, table: DataView): void {
  for (let i = across.from, at = 0; i < across.to; i++, at += SPAN_BYTES) {
    table.setInt32(at, ((across.first[i] as number) - across.start) * 12, true);
    table.setInt32(at + 4, across.count[i] as number, true);
    table.setFloat32(at + 8, across.head[i] as number, true);
    table.setFloat32(at + 12, across.tail[i] as number, true);
    table.setFloat32(at + 16, 1 / (across.total[i] as number), true);
  }
}
