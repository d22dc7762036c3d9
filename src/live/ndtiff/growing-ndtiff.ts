import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import type { OpenedSlide, TileSourceDescription } from '../../slide/slide.js';
import { readBytes, unreadable } from '../../slide/tiff-probe.js';
import { arrivals } from '../arrivals.js';
import { type GrowingOptions, isMarkedDone } from '../growing-tiff.js';
import { growthIdentity } from '../growth.js';
import type { Growth, LiveSlide, LiveState, TileArrivals } from '../live-slide.js';
import { lookAgain } from '../look-again.js';
import { readRegularFile, SAFELY } from '../regular-file.js';
import { NDTIFF_KIND, NDTIFF_TYPES, type NdTiffDescription, type NdTiffLevel, partName } from './description.js';
import { type IndexEntry, readIndex, readSummary } from './read-index.js';

/** Larger indexes than of a million tiles are damage. */
const MAX_INDEX = 256 * 2 ** 20;
const HEAD_BYTES = 1 << 20;
/** Tiles whose bytes are part of a content's name. */
const SAMPLES = 8;
const PART = /^(.+)_NDTiffStack\.tif$/;

/**
 * Opens an NDTiff data set that is being written, by its NDTiff.index.
 *
 * Completeness contract. Expected: the grid that Width, Height, TileWidth and TileHeight of the summary metadata make; tiles
 * are placed by the axes `row` and `column`. A tile may be read once its entry is whole in the index and its bytes lie inside
 * the part, because a writer puts the image before the entry; zeros behind the last entry are room that was reserved. The
 * slide is complete when all expected tiles came, or when `.done` stands in the folder.
 *
 * @throws SLIDE_UNREADABLE while the summary is not there or has no size; SLIDE_NO_MPP when nobody says the spacing.
 */
export function openGrowingNdTiff(index: string, options: GrowingOptions): LiveSlide {
  const folder = dirname(index);
  const prefix = readdirSync(folder)
    .map(name => PART.exec(name)?.[1])
    .find(name => name !== undefined);
  if (prefix === undefined) throw unreadable(index, 'has no images beside it');
  const part = join(folder, partName(prefix, 0));
  const fd = openPart(part);
  let head: Buffer;
  try {
    head = readBytes(fd, 0, HEAD_BYTES);
  } finally {
    closeSync(fd);
  }
  const { width, height, tileWidth, tileHeight, ...summary } = readSummary(part, head);
  const mpp = options.mpp ?? summary.mpp;
  if (mpp === undefined) throw new StromaflowError('SLIDE_NO_MPP', `${index}: does not say how many µm a pixel spans`);
  const cols = Math.ceil(width / tileWidth);
  const rows = Math.ceil(height / tileHeight);
  const array = () => new Float64Array(new SharedArrayBuffer(cols * rows * 8));
  const places = { offsets: array(), parts: array(), types: array() };
  const level = { width, height, tileWidth, tileHeight, downsample: 1, mpp, cols, rows, ...places };
  return new GrowingNdTiff({ kind: NDTIFF_KIND, path: index, folder, prefix, levels: [level] }, options);
}

/** @throws SLIDE_UNREADABLE for one that is a link, or gone. */
function openPart(path: string): number {
  try {
    return openSync(path, SAFELY);
  } catch (error) {
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened`, { cause: error });
  }
}

class GrowingNdTiff implements LiveSlide {
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly closed: Promise<boolean>;
  readonly #options: GrowingOptions;
  readonly #source: NdTiffDescription;
  readonly #level: NdTiffLevel;
  readonly #born: Stats;
  readonly #stop = new AbortController();
  #close: (again: boolean) => void = () => undefined;
  #state: LiveState = 'growing';
  #seen = 0;
  #overwritten = 0;
  /** Where the next entry of the index begins. */
  #next = 0;
  #last: Stats | undefined;
  #changedAt = performance.now();

  constructor(source: NdTiffDescription, options: GrowingOptions) {
    this.#source = source;
    this.#level = source.levels[0]!;
    this.#options = options;
    this.#born = statSync(source.path);
    const { width, height, downsample, mpp, tileWidth, tileHeight } = this.#level;
    const geometry = { width, height, downsample, mpp, tileWidth, tileHeight };
    const identity = growthIdentity(this.#born, geometry);
    const facts = { id: options.id!, path: source.path, format: 'NDTiff', properties: {} };
    const fingerprint = `${identity}-${Date.now().toString(36)}`;
    this.opened = { info: { ...facts, mpp, levels: [geometry], fingerprint }, source };
    this.growth = { identity, content: () => this.#content() };
    this.closed = new Promise(resolve => {
      this.#close = resolve;
    });
  }

  get state(): LiveState {
    return this.#state;
  }

  get tiles(): LiveSlide['tiles'] {
    const expected = this.#level.cols * this.#level.rows;
    const missing = this.#state === 'complete' ? expected - this.#seen : 0;
    return { expected, seen: this.#seen, missing, overwritten: this.#overwritten };
  }

  sourceFor(): TileSourceDescription {
    return this.#source;
  }

  follow(_level: number, signal: AbortSignal): AsyncIterable<TileArrivals> {
    return arrivals([this.#source.folder], this.#options, signal, this.#stop, async () => {
      const tiles = this.#look();
      return { tiles, grows: this.#state === 'growing' };
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    void lookAgain(this.#state, this.#options, () => this.#hasChanged()).then(this.#close);
  }

  #hasChanged(): boolean {
    const stats = statSync(this.#source.path, { throwIfNoEntry: false });
    const { size, mtimeMs } = this.#last ?? this.#born;
    return stats?.size !== size || stats.mtimeMs !== mtimeMs;
  }

  #look(): number[] {
    const { path, folder } = this.#source;
    const done = isMarkedDone(folder);
    const file = readRegularFile(path, MAX_INDEX);
    if (!file || file.stats.ino !== this.#born.ino || file.stats.size < this.#next) {
      this.#state = file ? 'replaced' : 'gone';
      return [];
    }
    this.#last = file.stats;
    const entries = readIndex(path, file.bytes, this.#next);
    const came = new Set<number>();
    for (const entry of entries) {
      if (!this.#isStored(entry)) break;
      this.#take(entry, came);
      this.#next = entry.end;
    }
    if (came.size > 0) this.#changedAt = performance.now();
    if (this.#state !== 'growing') return [];
    if (done || this.#seen === this.#level.cols * this.#level.rows) this.#state = 'complete';
    else if (performance.now() - this.#changedAt > this.#options.stallSeconds * 1000) this.#state = 'stalled';
    return [...came];
  }

  /** A later entry of a tile replaces an earlier one that nobody has read yet. */
  #take({ axes, file, offset, width, height, type, compression }: IndexEntry, came: Set<number>): void {
    const { cols, rows, tileWidth, tileHeight, offsets, parts, types } = this.#level;
    const [row, col] = [Number(axes['row']), Number(axes['column'])];
    const part = this.#partOf(file);
    if (!(col >= 0 && col < cols && row >= 0 && row < rows && Number.isInteger(col + row)) || part === undefined)
      return;
    const tile = row * cols + col;
    const sound = width === tileWidth && height === tileHeight && compression === 0;
    const given = sound ? type : Number.NaN;
    if (offsets[tile] !== 0) {
      this.#overwritten += 1;
      const same = this.#bytes(part, offset, given).equals(this.#bytes(parts[tile]!, offsets[tile]!, types[tile]!));
      if (!same && !came.has(tile)) this.#state = 'replaced';
    } else {
      this.#seen += 1;
      came.add(tile);
    }
    parts[tile] = part;
    types[tile] = given;
    offsets[tile] = offset;
  }

  /** Over a network the index may be seen to grow before the part does. */
  #isStored({ file, offset, width, height, type }: IndexEntry): boolean {
    const part = this.#partOf(file);
    if (part === undefined) return true;
    const path = join(this.#source.folder, partName(this.#source.prefix, part));
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return offset + width * height * (NDTIFF_TYPES[type] ?? 0) <= size;
  }

  /** Number of a part by its name; names of other files are not followed. */
  #partOf(file: string): number | undefined {
    const { prefix } = this.#source;
    const number = file.startsWith(prefix)
      ? /^_NDTiffStack(?:_(\d{1,4}))?\.tif$/.exec(file.slice(prefix.length))
      : null;
    return number ? Number(number[1] ?? 0) : undefined;
  }

  #bytes(part: number, offset: number, type: number): Buffer {
    const { folder, prefix } = this.#source;
    const fd = openPart(join(folder, partName(prefix, part)));
    try {
      return readBytes(fd, offset, this.#level.tileWidth * this.#level.tileHeight * (NDTIFF_TYPES[type] ?? 0));
    } finally {
      closeSync(fd);
    }
  }

  /** Hash of the entries there are, and the pixels of a few. */
  #content(): string {
    const { path } = this.#source;
    const entries = readIndex(path, readRegularFile(path, MAX_INDEX)?.bytes ?? Buffer.alloc(0), 0);
    const digest = createHash('sha256').update(JSON.stringify(entries));
    const step = Math.max(1, Math.floor(entries.length / SAMPLES));
    for (let index = 0; index < entries.length; index += step) {
      const { file, offset, type } = entries[index]!;
      const part = this.#partOf(file);
      if (part !== undefined) digest.update(this.#bytes(part, offset, type));
    }
    return digest.digest('hex').slice(0, 32);
  }
}
