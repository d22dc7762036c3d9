import { closeSync, openSync, type Stats, statSync } from 'node:fs';
import { isMarkedDone } from '../slide/marked-done.js';
import { openSlide } from '../slide/open.js';
import { splitScene } from '../slide/scene-path.js';
import type { OpenedSlide, TileSourceDescription } from '../slide/slide.js';
import { countTiles } from '../slide/stored-tiles.js';
import type { TiffDescription, TiffLevel } from '../slide/tiff/description.js';
import { unreadable } from '../slide/tiff/probe.js';
import { ALWAYS_THERE, type Presence } from '../watch/presence.js';
import { arrivals } from './arrivals.js';
import { factsOf } from './facts-of.js';
import type { GrowingOptions } from './growing-options.js';
import { growthIdentity, tiffContent } from './growth.js';
import { ListedTiles } from './listed-tiles.js';
import type { Growth, LiveSlide, LiveState, TileArrivals } from './live-slide.js';
import { lookAgain } from './look-again.js';
import { readWhenWhole } from './read-when-whole.js';
import { takeAll } from './take-all.js';
import { type Listing, TiffListing } from './tiff-listing.js';
import { sameBytes } from './tile-bytes.js';

/** The kernel stamps files by its clock tick, up to 10 ms; networks round up to two seconds, and are polled. */
const TICK_MS = { events: 50, polled: 3000 } as const;

/**
 * Opens a TIFF that is still being written: its directories can be read, tiles are missing. Checkpointed files, files whose
 * directory is rewritten in place, and files with the directory first and zero offsets are all of this kind.
 *
 * Completeness contract. Expected: every tile of the followed level in the directory as it was when the slide was opened. A
 * tile may be read once two readings of the directory agree on it, it lies inside the file, and its bytes are there
 * (listed-tiles.ts). The slide is complete when every expected tile came, or when `<name>.done` stands beside it; tiles without
 * bytes, and those that are zeros where nothing is coded, are then missing: room that was reserved.
 *
 * @throws SLIDE_UNREADABLE and the other errors of openSlide while the directory cannot be read.
 */
export async function openGrowingTiff(path: string, options: GrowingOptions): Promise<LiveSlide> {
  const { mpp, id, signal } = options;
  const before = statSync(splitScene(path).file);
  const slide = await openSlide(path, { mpp, id, signal, growing: true });
  const again = await openSlide(path, { mpp, id, signal, growing: true });
  if (JSON.stringify(slide.info.levels) !== JSON.stringify(again.info.levels))
    throw unreadable(path, 'its directory is being written');
  return new GrowingTiff(slide, before, options);
}

class GrowingTiff implements LiveSlide {
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly closed: Promise<boolean>;
  readonly #options: GrowingOptions;
  readonly #path: string;
  readonly #scene: number | undefined;
  readonly #levels: readonly TiffLevel[];
  /** The file as it was when it was opened. */
  #born: Stats;
  /** Outages of its folder that it has come through. */
  #outages: number;
  readonly #stop = new AbortController();
  #state: LiveState = 'growing';
  #close: (again: boolean) => void = () => undefined;
  #level = 0;
  #seen = 0;
  #overwritten = 0;
  /** Of the tiles that never came, those that finer levels have instead. */
  #drawn = 0;
  /** The format stores no tile where nothing was scanned. */
  readonly #leavesOut: boolean;
  /** Tiles that are listed beyond the file's end. */
  #beyond = 0;
  /** Where the tile that lies furthest back ends. */
  #end = 0;
  readonly #presence: Presence;
  #listed: ListedTiles;
  /** The file as the last look saw it, since when it was seen so, and when that look was (performance.now()). */
  #last: { readonly stats: Stats; readonly since: number; readonly lookedAt: number } | undefined;
  #changedAt: number;
  #changed = false;
  /** All that the last look had to read could be read. */
  #isRead = true;

  constructor(slide: OpenedSlide, born: Stats, options: GrowingOptions) {
    const { path, levels } = slide.source as TiffDescription;
    this.#path = path;
    this.#scene = splitScene(slide.info.path).scene;
    this.#born = born;
    this.#options = options;
    this.#presence = options.presence ?? ALWAYS_THERE;
    this.#changedAt = this.#presence.now();
    this.#outages = this.#presence.outages;
    this.#leavesOut = slide.stored?.(0).sparse ?? false;
    this.#levels = levels.map(level => ({ ...level, offsets: emptyArray(level), byteCounts: emptyArray(level) }));
    this.#listed = this.#tilesOf(0);
    const scene = this.#scene === undefined ? '' : `-scene${this.#scene}`;
    const identity = `${growthIdentity(born, slide.info.levels[0]!)}${scene}`;
    // A second scan into the same file is another run, and must have another name in events.
    const fingerprint = `${identity}-${Date.now().toString(36)}`;
    this.opened = { info: { ...slide.info, fingerprint }, source: { kind: 'tiff', path, levels: this.#levels } };
    this.growth = {
      identity,
      content: level => {
        const { offsets, byteCounts } = this.#seen > 0 ? this.#levels[level]! : levels[level]!;
        return tiffContent(path, offsets, byteCounts);
      },
    };
    this.closed = new Promise(resolve => {
      this.#close = resolve;
    });
  }

  get state(): LiveState {
    return this.#state;
  }

  get tiles(): LiveSlide['tiles'] {
    const { cols, rows } = this.#levels[this.#level]!;
    const expected = cols * rows;
    const drawn = this.#drawn;
    const missing = this.#state === 'complete' ? expected - this.#seen - drawn : 0;
    return { expected, seen: this.#seen, ...(drawn > 0 ? { drawn } : {}), missing, overwritten: this.#overwritten };
  }

  get sparse(): boolean {
    return this.#leavesOut || isMarkedDone(this.#path);
  }

  sourceFor(level: number): TileSourceDescription {
    return { kind: 'tiff', path: this.#path, levels: this.#levels.slice(0, level + 1) };
  }

  #tilesOf(level: number): ListedTiles {
    return new ListedTiles(this.#levels[level]!, this.#options.settleSeconds, () => this.#presence.now());
  }

  follow(level: number, signal: AbortSignal): AsyncIterable<TileArrivals> {
    this.#level = level;
    this.#listed = this.#tilesOf(level);
    const listing = new TiffListing(this.#path, this.#levels[level]!, this.#scene);
    return arrivals([this.#path], this.#options, signal, this.#stop, async () => {
      const tiles = await this.#look(listing);
      return { tiles, grows: this.#state === 'growing' };
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    void lookAgain(this.#state, this.#options, () => this.#hasChanged()).then(this.#close);
  }

  /** Since the last look. */
  #hasChanged(): boolean {
    const stats = factsOf(this.#path, this.#presence);
    if (stats === 'away') return false;
    if (!stats || !isSame(stats, this.#last?.stats ?? this.#born)) return true;
    return this.#state === 'stalled' && this.#hasArrived();
  }

  /** The tiles that became readable; sets the state. */
  async #look(listing: TiffListing): Promise<number[]> {
    const stats = factsOf(this.#path, this.#presence);
    if (stats === 'away') return [];
    if (!stats) {
      this.#state = 'gone';
      return [];
    }
    if (this.#isOther(stats)) {
      this.#state = 'replaced';
      return [];
    }
    const lookedAt = performance.now();
    let tiles: number[] = [];
    const read = () => listing.read((listed, fd) => this.#take(listed, fd));
    if (this.#mayHaveChanged(stats)) {
      this.#isRead = true;
      // Where events tell, the tile that is being entered rings by itself.
      const found = await (this.#options.events ? read().catch(() => undefined) : readWhenWhole(read));
      if (!found) this.#isRead = false;
      else tiles = found;
    }
    const isNew = !this.#last || !isSame(this.#last.stats, stats);
    if (isNew && this.#last) this.#changed = true;
    if ((isNew && this.#last) || tiles.length > 0) this.#changedAt = this.#presence.now();
    this.#last = { stats, since: isNew ? lookedAt : this.#last!.since, lookedAt };
    this.#judge();
    // The writer has ended, so what does not look whole is taken as it is.
    if (this.#state === 'complete' && this.tiles.missing > 0) tiles.push(...((await readWhenWhole(read)) ?? []));
    if (this.#state === 'complete' && this.tiles.missing > 0) await this.#takeFinerLevels();
    if (this.#state === 'complete' && this.#wasRewritten()) this.#state = 'replaced';
    return tiles;
  }

  /** What never came of the followed level is drawn from them. */
  async #takeFinerLevels(): Promise<void> {
    for (const level of this.#levels.slice(0, this.#level)) {
      const listing = new TiffListing(this.#path, level, this.#scene);
      await readWhenWhole(() => listing.read((listed, fd) => takeAll(level, listed, fd)));
    }
    const has = (at: number, tile: number): boolean => this.#levels[at]!.byteCounts[tile] !== 0;
    this.#drawn = countTiles({ levels: this.#levels, has }, this.#level).drawn;
  }

  /** A file that ends before a tile that was there has been emptied for another scan. */
  #isOther(stats: Stats): boolean {
    if (stats.size < this.#end) return true;
    if (stats.ino === this.#born.ino) return false;
    // A share that was away may number its files anew: it is the same one when it holds the same.
    const { outages } = this.#presence;
    if (outages === this.#outages || this.#seen === 0 || this.#wasRewritten()) return true;
    this.#outages = outages;
    this.#born = stats;
    return false;
  }

  /** Times of files are coarse: what was written right before the last look may hide behind it, or behind a time that is set back. */
  #mayHaveChanged(stats: Stats): boolean {
    if (!this.#last || !isSame(stats, this.#last.stats)) return true;
    if (this.#last.lookedAt - this.#last.since < TICK_MS[this.#options.events ? 'events' : 'polled']) return true;
    return !this.#isRead || this.#listed.inDoubt || this.#hasArrived();
  }

  /** A copy may fill a file whose size and time stay as they are. */
  #hasArrived(): boolean {
    return this.#listed.awaits && this.#withFile(fd => this.#listed.hasArrived(fd));
  }

  /** True when tiles hold something else than when they were given out. */
  #wasRewritten(): boolean {
    return this.#seen > 0 && !this.#withFile(fd => this.#listed.isAsGiven(fd));
  }

  #withFile<T>(use: (fd: number) => T): T {
    const fd = openSync(this.#path, 'r');
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  }

  async #take({ stats, offsets, byteCounts }: Listing, fd: number): Promise<number[]> {
    const level = this.#levels[this.#level]!;
    if (offsets.length < level.offsets.length) return [];
    const listed = new Map<number, readonly [number, number]>();
    let others = 0;
    this.#beyond = 0;
    for (let tile = 0; tile < level.offsets.length; tile++) {
      const offset = offsets[tile]!;
      const length = byteCounts[tile]!;
      const known = level.byteCounts[tile] !== 0;
      if (length > 0 && offset + length > stats.size) this.#beyond += 1;
      if (offset === 0 || length === 0 || offset + length > stats.size) others += known ? 0 : 1;
      else if (!known || level.offsets[tile] !== offset || level.byteCounts[tile] !== length)
        listed.set(tile, [offset, length]);
    }
    const came: number[] = [];
    for (const tile of await this.#listed.ready(fd, listed, others, this.#state === 'complete')) {
      const [offset, length] = listed.get(tile)!;
      if (level.byteCounts[tile] !== 0) this.#overwrite(fd, level, tile, offset, length);
      else {
        level.offsets[tile] = offset;
        level.byteCounts[tile] = length;
        came.push(tile);
      }
      this.#end = Math.max(this.#end, offset + length);
    }
    this.#seen += came.length;
    return came;
  }

  /** The same bytes elsewhere change nothing; other pixels make the patches that were read from the old ones wrong. */
  #overwrite(fd: number, level: TiffLevel, tile: number, offset: number, length: number): void {
    try {
      if (!sameBytes(fd, [level.offsets[tile]!, level.byteCounts[tile]!], [offset, length])) this.#state = 'replaced';
    } catch {
      this.#isRead = false;
      return;
    }
    this.#overwritten += 1;
    level.offsets[tile] = offset;
    level.byteCounts[tile] = length;
  }

  #judge(): void {
    if (this.#state !== 'growing') return;
    const { cols, rows } = this.#levels[this.#level]!;
    if (this.#seen === cols * rows || isMarkedDone(this.#path)) this.#state = 'complete';
    else if (this.#presence.now() - this.#changedAt > this.#options.stallSeconds * 1000)
      // A file that never changed was whole when it was opened: some writers store no bytes for tiles of glass. None lists
      // bytes that are not there.
      this.#state = this.#changed || this.#listed.lacking + this.#beyond > 0 ? 'stalled' : 'complete';
  }
}

const isSame = (a: Stats, b: Stats): boolean =>
  a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino;

const emptyArray = ({ cols, rows }: TiffLevel): Float64Array<SharedArrayBuffer> =>
  new Float64Array(new SharedArrayBuffer(cols * rows * 8));
