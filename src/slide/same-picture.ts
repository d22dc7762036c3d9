import { StromaflowError } from '../errors.js';
import { endsSlide } from './ends-slide.js';
import type { LevelGeometry, TileSource } from './slide.js';

/** Places that are compared: so many across and down. */
const PLACES = 4;
/** Side of a place in pixels of the coarser level, and of one of the cells it is compared by; less where that is many of the finer one's. */
const PLACE_PIXELS = 64;
const CELL_PIXELS = 16;
const MOST_FINER_PIXELS = 512;
const LEAST_PIXELS = 8;

/** Cells whose colours spread by less than this (of 255) about their mean tell nothing: glass is like any glass. */
const FLAT = 4;
/** How much the same picture's cells may differ: sampling and compression, and a share of the spread for pixels at the edges of cells. */
const NOISE = 1.5;
const SHARE = 1 / 3;

/** 'flat': nothing but one colour to compare, or nothing that can be read. */
export type Likeness = 'same' | 'other' | 'flat';

/**
 * Whether a coarser image shows what a finer one shows: the mean colours of cells at sixteen places, in both. Of another picture of
 * the same colours the cells differ as much as they do among themselves, of the same one by far less.
 */
export async function compareLevels(source: TileSource, finer: number, coarser: number): Promise<Likeness> {
  const [fine, coarse] = [new CellMeans(source, finer), new CellMeans(source, coarser)];
  const { downsample, width, height } = source.levels[coarser]!;
  const ratio = downsample / source.levels[finer]!.downsample;
  const most = Math.max(LEAST_PIXELS, Math.min(PLACE_PIXELS, Math.floor(MOST_FINER_PIXELS / ratio)));
  const side = Math.min(most, width, height);
  const cells = Math.max(1, Math.round(side / Math.min(CELL_PIXELS, Math.max(LEAST_PIXELS / 2, side / 4))));
  const pairs: [number[], number[]][] = [];
  for (let place = 0; place < PLACES ** 2; place++) {
    const at = (size: number, part: number) => Math.floor(((size - side) * (part + 0.5)) / PLACES) * downsample;
    const area = {
      x: at(width, place % PLACES),
      y: at(height, Math.floor(place / PLACES)),
      side: side * downsample,
      cells,
    };
    const [a, b] = [await fine.at(area), await coarse.at(area)];
    for (const [i, mean] of a.entries()) if (mean && b[i]) pairs.push([mean, b[i]]);
  }
  return judge(pairs);
}

function judge(pairs: readonly (readonly [fine: readonly number[], coarse: readonly number[]])[]): Likeness {
  if (pairs.length < 2) return 'flat';
  const means = [0, 1, 2].map(channel => average(pairs.map(([fine]) => fine[channel]!)));
  const spread = average(pairs.flatMap(([fine]) => fine.map((value, channel) => Math.abs(value - means[channel]!))));
  const off = average(
    pairs.flatMap(([fine, coarse]) => fine.map((value, channel) => Math.abs(value - coarse[channel]!))),
  );
  if (off > NOISE + spread * SHARE) return 'other';
  return spread < FLAT ? 'flat' : 'same';
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A square in level-0 pixels, and into how many cells it is cut along each axis. */
interface Area {
  readonly x: number;
  readonly y: number;
  readonly side: number;
  readonly cells: number;
}

/** Reads the mean colours of cells of one level. */
class CellMeans {
  readonly #source: TileSource;
  readonly #level: number;
  readonly #geometry: LevelGeometry;
  readonly #tile: Uint8Array;
  /** Which tile is in the buffer: of an image in one piece it is always the same. */
  #held = '';
  #isThere = false;

  constructor(source: TileSource, level: number) {
    this.#source = source;
    this.#level = level;
    this.#geometry = source.levels[level]!;
    this.#tile = new Uint8Array(this.#geometry.tileWidth * this.#geometry.tileHeight * 3);
  }

  /** A mean a cell, row by row; undefined where the level has no pixel or one of its tiles cannot be read. */
  async at({ x, y, side, cells }: Area): Promise<(number[] | undefined)[]> {
    const { width, height, tileWidth, tileHeight, downsample } = this.#geometry;
    const first = (from: number) => Math.max(0, Math.ceil(from / downsample - 0.5));
    const [left, top] = [first(x), first(y)];
    const [right, bottom] = [Math.min(width, first(x + side)), Math.min(height, first(y + side))];
    const sums = Array.from({ length: cells ** 2 }, () => [0, 0, 0, 0]);
    const lacking = new Set<number>();
    const cellOf = (pixel: number, from: number) =>
      Math.min(cells - 1, Math.max(0, Math.floor((((pixel + 0.5) * downsample - from) / side) * cells)));
    for (let row = Math.floor(top / tileHeight); row * tileHeight < bottom; row++)
      for (let col = Math.floor(left / tileWidth); col * tileWidth < right; col++) {
        const isThere = await this.#load(col, row);
        for (let j = Math.max(top, row * tileHeight); j < Math.min(bottom, (row + 1) * tileHeight); j++)
          for (let i = Math.max(left, col * tileWidth); i < Math.min(right, (col + 1) * tileWidth); i++) {
            const cell = cellOf(j, y) * cells + cellOf(i, x);
            if (!isThere) {
              lacking.add(cell);
              continue;
            }
            const at = ((j - row * tileHeight) * tileWidth + i - col * tileWidth) * 3;
            const sum = sums[cell]!;
            for (let channel = 0; channel < 3; channel++) sum[channel]! += this.#tile[at + channel]!;
            sum[3]!++;
          }
      }
    return sums.map(([r, g, b, count], cell) =>
      count === 0 || lacking.has(cell) ? undefined : [r! / count!, g! / count!, b! / count!],
    );
  }

  async #load(col: number, row: number): Promise<boolean> {
    const key = `${col} ${row}`;
    if (this.#held === key) return this.#isThere;
    this.#held = key;
    try {
      this.#isThere = (await this.#source.readTile(this.#level, col, row, this.#tile)) === 'decoded';
    } catch (error) {
      if (!(error instanceof StromaflowError) || endsSlide(error)) throw error;
      this.#isThere = false;
    }
    return this.#isThere;
  }
}
