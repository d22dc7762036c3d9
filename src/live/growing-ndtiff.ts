import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isMarkedDone } from '../slide/marked-done.js';
import {
  checkDepth,
  checkImages,
  type DataSet,
  describeDataSet,
  doneFolders,
  imageBytes,
  isStored,
  note,
  placeOf,
  readIndexFile,
} from '../slide/ndtiff/data-set.js';
import type { NdTiffDescription, NdTiffLevel } from '../slide/ndtiff/description.js';
import { checkPlaces, outsideOfGrid, statedGrid, withoutPlaces } from '../slide/ndtiff/grid.js';
import { chosenPlane, hasPlace, type IndexEntry, planeOf, readIndex } from '../slide/ndtiff/read-index.js';
import type { SlideNote } from '../slide/note.js';
import type { RegularFile } from '../slide/regular-file.js';
import type { OpenedSlide, SlideInfo, TileSourceDescription } from '../slide/slide.js';
import { withSpacing } from '../slide/slide-facts.js';
import { isUnwritten } from '../slide/unwritten.js';
import { ALWAYS_THERE, type Presence } from '../watch/presence.js';
import { arrivals } from './arrivals.js';
import { factsOf } from './facts-of.js';
import { FolderTimes } from './folder-times.js';
import type { GrowingOptions } from './growing-options.js';
import { ndTiffGrowth } from './growth-of-tiles.js';
import { judgeOutside } from './judge-outside.js';
import type { Growth, LiveSlide, LiveState, TileArrivals } from './live-slide.js';
import { lookAgain } from './look-again.js';

/**
 * Opens an NDTiff data set that is being written, by its NDTiff.index.
 *
 * Completeness contract. Expected: the grid that Width, Height, TileWidth and TileHeight of the summary metadata make; tiles
 * are placed by the axes `row` and `column`. A tile may be read
 * once its entry is whole in the index and its bytes lie inside the part and are not all zero, because a writer puts the image before
 * the entry; zeros, also behind the last entry, are room that was reserved. The slide is complete when all expected tiles came, or
 * when `.done` stands in the folder.
 *
 * Undefined for a data set that does not say the size of the whole, and for one of several planes (`z`, `time`, `channel` …), of which
 * nobody knows the middle one yet: it can be opened when it is finished. A second plane that comes later makes it another slide.
 *
 * @throws SLIDE_NO_MPP when nobody says the spacing; SLIDE_UNREADABLE, also when none of its images has a place.
 */
export function openGrowingNdTiff(set: DataSet, options: GrowingOptions): LiveSlide | undefined {
  const { index, summary } = set;
  const grid = statedGrid(index, summary);
  if (!grid) return undefined;
  const entries = readIndex(index, readIndexFile(index)?.bytes ?? Buffer.alloc(0), 0);
  const chosen = chosenPlane(entries);
  if (entries.length > 0 && !chosen) throw withoutPlaces(index);
  if (chosen && chosen.planes.length > 1) return undefined;
  const spaced = withSpacing(index, { mpp: summary.mpp, levels: [grid] }, options.mpp);
  const described = describeDataSet(set, grid, spaced.mpp);
  checkImages(
    described,
    entries.filter(entry => placeOf(described, entry)),
  );
  return new GrowingNdTiff(described, spaced, options);
}

class GrowingNdTiff implements LiveSlide {
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly closed: Promise<boolean>;
  readonly #options: GrowingOptions;
  readonly #source: NdTiffDescription;
  readonly #level: NdTiffLevel;
  #born: Stats;
  /** Outages of its folder that it has come through. */
  #outages: number;
  readonly #stop = new AbortController();
  #close: (again: boolean) => void = () => undefined;
  #state: LiveState = 'growing';
  #seen = 0;
  #overwritten = 0;
  /** Images that do not say where they lie. */
  #unplaced = 0;
  /** Images that lie outside of the grid, or in no part of the data set. */
  readonly #outside: IndexEntry[] = [];
  readonly #notes: SlideNote[];
  #misplaced: string | undefined;
  /** The only one there is. */
  #plane: string | undefined;
  /** Entries whose images are zeros, as those of a copy are whose index came first. */
  readonly #blank: IndexEntry[] = [];
  /** Tiles that came and were not given out yet: a look may fail half-way. */
  readonly #came = new Set<number>();
  /** Where the next entry of the index begins. */
  #next = 0;
  /** Of the index up to there. */
  #sum = 0;
  #last: Stats | undefined;
  readonly #presence: Presence;
  /** The folder and its parts: a writer may hold back entries long after the pixels of their images, as ndstorage does fifty. */
  readonly #signs: FolderTimes;
  #changedAt: number;

  constructor(
    source: NdTiffDescription,
    spaced: Pick<SlideInfo, 'mpp' | 'axes' | 'levels' | 'notes'>,
    options: GrowingOptions,
  ) {
    this.#source = source;
    this.#level = source.levels[0]!;
    this.#options = options;
    this.#presence = options.presence ?? ALWAYS_THERE;
    this.#changedAt = this.#presence.now();
    this.#outages = this.#presence.outages;
    this.#born = statSync(source.path);
    this.#signs = new FolderTimes(() => [source.folder, ...partsIn(source.folder)]);
    this.growth = ndTiffGrowth(source, this.#born);
    const facts = { id: options.id!, path: source.path, format: 'NDTiff', properties: {} };
    const fingerprint = `${this.growth.identity}-${Date.now().toString(36)}`;
    this.#notes = [...(spaced.notes ?? [])];
    this.opened = { info: { ...facts, ...spaced, notes: this.#notes, fingerprint }, source };
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

  get sparse(): boolean {
    return doneFolders(this.#source.path).some(isMarkedDone);
  }

  get lacks(): string | undefined {
    const count = this.#unplaced;
    const unplaced = count > 0 ? `a row and a column of ${count} ${count === 1 ? 'image' : 'images'}` : undefined;
    return [unplaced, this.#misplaced].filter(text => text !== undefined).join('; ') || undefined;
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
    const stats = factsOf(this.#source.path, this.#presence);
    const { size, mtimeMs, ctimeMs } = this.#last ?? this.#born;
    if (stats === 'away') return false;
    return stats?.size !== size || stats.mtimeMs !== mtimeMs || stats.ctimeMs !== ctimeMs;
  }

  #look(): number[] {
    const { path } = this.#source;
    const done = doneFolders(path).some(isMarkedDone);
    if (factsOf(path, this.#presence) === 'away') return [];
    const file = readIndexFile(path);
    if (!file || this.#isOther(file)) {
      this.#state = file ? 'replaced' : 'gone';
      return [];
    }
    this.#last = file.stats;
    this.#takeThose(readIndex(path, file.bytes, this.#next), file.bytes);
    const came = this.#came;
    if (this.#signs.haveChanged() || came.size > 0) this.#changedAt = this.#presence.now();
    if (this.#state !== 'growing') return [];
    if (done && this.#seen + this.#blank.length === 0)
      throw this.#unplaced > 0 ? withoutPlaces(path) : outsideOfGrid(path);
    if (done || this.#seen === this.#level.cols * this.#level.rows) this.#state = 'complete';
    else if (this.#presence.now() - this.#changedAt > this.#options.stallSeconds * 1000) this.#state = 'stalled';
    if (this.#state === 'complete' || this.#state === 'stalled')
      this.#misplaced = judgeOutside(this.#state, this.#notes, () => this.#checkOutside());
    const tiles = [...came];
    came.clear();
    return tiles;
  }

  /** Takes the images that are stored. One that cannot be read is taken by a later look, as are those behind it. */
  #takeThose(entries: readonly IndexEntry[], index: Buffer): void {
    const waiting = this.#blank.splice(0).reverse();
    try {
      for (let entry = waiting.at(-1); entry; entry = waiting.at(-1)) {
        if (isStored(this.#source, entry)) this.#take(entry);
        else this.#blank.push(entry);
        waiting.pop();
      }
      for (const entry of entries) {
        if (!isStored(this.#source, entry)) break;
        this.#take(entry);
        this.#next = entry.end;
      }
    } finally {
      this.#blank.push(...waiting.reverse());
      this.#sum = crc32(index.subarray(0, this.#next));
    }
  }

  #checkOutside(): SlideNote | undefined {
    if (this.#outside.length === 0) return undefined;
    const { cols, offsets } = this.#level;
    const inside = [...offsets.keys()].filter(tile => offsets[tile] !== 0);
    const placed = inside.map(tile => ({ axes: { column: tile % cols, row: Math.floor(tile / cols) } }));
    return checkPlaces(this.#source.path, this.#level, [...placed, ...this.#outside]);
  }

  #isOther({ stats, bytes }: RegularFile): boolean {
    if (stats.size < this.#next) return true;
    if (stats.ino === this.#born.ino) return false;
    // A share that was away may number its files anew: it is the same one when its index begins alike.
    const { outages } = this.#presence;
    if (outages === this.#outages || this.#next === 0 || crc32(bytes.subarray(0, this.#next)) !== this.#sum)
      return true;
    this.#outages = outages;
    this.#born = stats;
    return false;
  }

  /** A later entry of a tile replaces an earlier one that nobody has read yet. */
  #take(entry: IndexEntry): void {
    if (!hasPlace(entry)) {
      this.#unplaced += 1;
      return;
    }
    this.#plane ??= planeOf(entry);
    if (planeOf(entry) !== this.#plane) this.#state = 'replaced';
    const place = placeOf(this.#source, entry);
    if (!place) {
      this.#outside.push(entry);
      return;
    }
    if (this.#seen === 0) checkDepth(this.#source.path, [entry]);
    const { tile, part, type } = place;
    if (isUnwritten(imageBytes(this.#source, part, entry.offset, type))) {
      this.#blank.push(entry);
      return;
    }
    const { offsets, parts, types } = this.#level;
    if (offsets[tile] !== 0) {
      const now = imageBytes(this.#source, part, entry.offset, type);
      const same = now.equals(imageBytes(this.#source, parts[tile]!, offsets[tile]!, types[tile]!));
      this.#overwritten += 1;
      if (!same && !this.#came.has(tile)) this.#state = 'replaced';
    } else {
      this.#seen += 1;
      this.#came.add(tile);
    }
    note(this.#level, place, entry.offset);
  }
}

/** Paths of the parts that are there; none while the folder cannot be listed. */
function partsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => /\.tiff?$/i.test(name))
      .map(name => join(folder, name));
  } catch {
    return [];
  }
}
