import { existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMarkedDone } from '../slide/marked-done.js';
import type { SlideNote } from '../slide/note.js';
import { statFileBelow } from '../slide/regular-file.js';
import type { OpenedSlide, SlideInfo, TileSourceDescription } from '../slide/slide.js';
import { withSpacing } from '../slide/slide-facts.js';
import { checkStray } from '../slide/tile-folder/stray-tiles.js';
import { describeTileFolder, isDeclared, storedTiles } from '../slide/tile-folder/tile-folder-facts.js';
import {
  alsoShown,
  blankTiles,
  expectedTiles,
  shownBy,
  type TileSet,
  type TileSetLevel,
  tileFolders,
  tileName,
  tileReader,
} from '../slide/tile-folder/tile-set.js';
import { ALWAYS_THERE, type Presence } from '../watch/presence.js';
import { ArrivalQueue } from './arrival-queue.js';
import { factsOf } from './facts-of.js';
import { checkFirstTile } from './first-tile.js';
import { FolderTimes } from './folder-times.js';
import { keepLooking } from './follower.js';
import type { GrowingOptions } from './growing-options.js';
import { tileFolderGrowth } from './growth-of-tiles.js';
import { judgeOutside } from './judge-outside.js';
import type { Growth, LiveSlide, LiveState, TileArrivals } from './live-slide.js';
import { lookAgain } from './look-again.js';
import { TileFiles } from './tile-files.js';

/**
 * Opens a slide that is written as one image a tile.
 *
 * Completeness contract. Expected: the tiles that the manifest announces, else the whole grid of the followed level; so the
 * slide opens when its manifest is there, early or late. When a tile may be read is said in tile-files.ts. The slide is complete
 * when all expected tiles came, or when `.done` stands in the folder (or `<name>.done` beside the manifest); tiles without a file
 * are then missing.
 *
 * @param still false when the description, whose file has changed, no longer says what the set was made from.
 * @throws SLIDE_NO_MPP when nobody says the spacing.
 */
export function openGrowingTileFolder(
  set: TileSet,
  options: GrowingOptions,
  still: () => boolean = () => true,
): LiveSlide {
  const spaced = withSpacing(set.manifest, set, options.mpp);
  const levels = set.levels.map((level, index) => ({ ...level, mpp: spaced.levels[index]!.mpp }));
  return new GrowingTileFolder(set, levels, spaced, options, still);
}

class GrowingTileFolder implements LiveSlide {
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly closed: Promise<boolean>;
  readonly #options: GrowingOptions;
  readonly #set: TileSet;
  readonly #levels: readonly TileSetLevel[];
  #born: Stats;
  /** Outages of its folder that it has come through. */
  #outages: number;
  readonly #still: () => boolean;
  #manifest: Stats;
  readonly #stop = new AbortController();
  #close: (again: boolean) => void = () => undefined;
  #state: LiveState = 'growing';
  #level = 0;
  /** Tiles of the followed level that are to come. */
  #expected: number;
  #tileOf: (name: string) => number | undefined = () => undefined;
  #files: TileFiles;
  /** Tiles that came in the images of others, as their overlap: whether they have their own does not matter. */
  #shown = 0;
  /** Of the tiles that came, those that were not given out yet: a look may fail half-way. */
  readonly #came: number[] = [];
  /** Folders as they were listed last: their time, since when it was seen, and when they were listed (performance.now()). */
  readonly #listed = new Map<string, { readonly mtimeMs: number; readonly since: number; readonly listedAt: number }>();
  #folders: readonly string[] = [];
  /** Folders of all levels: one that is written before the one that is followed is a sign of life. */
  readonly #signs: FolderTimes;
  readonly #notes: SlideNote[];
  #lacks: string | undefined;
  #isTried = false;
  /** Of the tiles that never came, those that finer levels have instead. */
  #drawn = 0;
  readonly #presence: Presence;
  #changedAt: number;

  constructor(
    set: TileSet,
    levels: readonly TileSetLevel[],
    spaced: Pick<SlideInfo, 'mpp' | 'axes' | 'levels' | 'notes'>,
    options: GrowingOptions,
    still: () => boolean,
  ) {
    this.#set = set;
    this.#levels = levels;
    this.#options = options;
    this.#presence = options.presence ?? ALWAYS_THERE;
    this.#changedAt = this.#presence.now();
    this.#outages = this.#presence.outages;
    this.#still = still;
    this.#files = this.#filesOf(levels[0]!);
    this.#expected = expectedTiles(levels[0]!);
    this.#notes = [...(spaced.notes ?? [])];
    const folders = levels.map(({ pattern }) => dirname(pattern)).filter(folder => !folder.includes('{'));
    this.#signs = new FolderTimes([...new Set(folders)].map(folder => join(set.folder, folder)));
    this.#born = statSync(set.manifest);
    this.#manifest = this.#born;
    this.growth = tileFolderGrowth(describeTileFolder(set, levels), this.#born);
    this.opened = {
      info: {
        id: options.id!,
        path: set.path,
        format: set.format,
        ...spaced,
        notes: this.#notes,
        fingerprint: `${this.growth.identity}-${Date.now().toString(36)}`,
        properties: {},
      },
      source: this.sourceFor(levels.length),
    };
    this.closed = new Promise(resolve => {
      this.#close = resolve;
    });
  }

  get state(): LiveState {
    return this.#state;
  }

  get tiles(): LiveSlide['tiles'] {
    const expected = this.#expected;
    const seen = this.#count;
    const drawn = this.#drawn;
    const missing = this.#state === 'complete' ? Math.max(0, expected - seen - drawn) : 0;
    return { expected, seen, ...(drawn > 0 ? { drawn } : {}), missing, overwritten: this.#files.overwritten };
  }

  get sparse(): boolean {
    return isDeclared(this.#set, this.#level);
  }

  get lacks(): string | undefined {
    return this.#lacks;
  }

  get #count(): number {
    return this.#files.count + this.#shown;
  }

  #filesOf(level: TileSetLevel): TileFiles {
    return new TileFiles(this.#set.folder, level, this.#options.settleSeconds, () => this.#presence.now());
  }

  sourceFor(level: number): TileSourceDescription {
    return describeTileFolder(this.#set, this.#levels.slice(0, level + 1));
  }

  follow(level: number, signal: AbortSignal): AsyncIterable<TileArrivals> {
    this.#level = level;
    const geometry = this.#levels[level]!;
    this.#files = this.#filesOf(geometry);
    const tileOf = tileReader(geometry);
    this.#tileOf = name => {
      const tile = tileOf(name);
      return tile !== undefined && shownBy(geometry, tile) === undefined ? tile : undefined;
    };
    this.#expected = expectedTiles(geometry);
    this.#folders = tileFolders(geometry).map(folder => join(this.#set.folder, folder));
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    const queue = new ArrivalQueue<TileArrivals>(() => this.#stop.abort());
    const watched = [...this.#folders.filter(folder => existsSync(folder)), dirname(this.#set.manifest)];
    const blank = blankTiles(geometry);
    if (blank.length > 0) queue.push({ tiles: blank, at: performance.now() });
    const looking = keepLooking([...new Set(watched)], this.#options, stopped, async () => {
      this.#state = this.#look();
      // Of what was replaced nothing more is to be read.
      if (this.#state === 'replaced' || this.#state === 'gone') this.#came.length = 0;
      const first = this.#isTried ? undefined : this.#files.first;
      if (first !== undefined) {
        await checkFirstTile(this.#set, this.#levels, level, first);
        this.#isTried = true;
      }
      const tiles = this.#came.splice(0);
      if (tiles.length > 0) queue.push({ tiles, at: performance.now() });
      if (this.#state !== 'growing') return 'over';
      return tiles.length > 0 ? 'found' : 'nothing';
    });
    looking.then(
      () => queue.end(),
      error => queue.fail(error),
    );
    return queue;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    void lookAgain(this.#state, this.#options, () => this.#hasChanged()).then(this.#close);
  }

  /** A folder has another time than when it was listed last, or one that was not there is. */
  #hasChanged(): boolean {
    if (this.#presence.isAway(this.#set.manifest)) return false;
    return this.#folders.some(
      folder => statSync(folder, { throwIfNoEntry: false })?.mtimeMs !== this.#listed.get(folder)?.mtimeMs,
    );
  }

  /** Finds the tiles that came. What fails here is tried again, and the slide is not over before it did not. */
  #look(): LiveState {
    const manifest = factsOf(this.#set.manifest, this.#presence);
    if (manifest === 'away') return 'growing';
    if (!manifest) return 'gone';
    if (this.#isOther(manifest)) return 'replaced';
    const { mtimeMs, size } = this.#manifest;
    if (manifest.mtimeMs !== mtimeMs || manifest.size !== size) {
      if (!this.#still()) return 'replaced';
      this.#manifest = manifest;
    }
    // The marker is looked for first: tiles that were written before it are then seen by this very look.
    const { doneIn, manifest: path } = this.#set;
    const done = doneIn.some(folder => existsSync(join(folder, '.done'))) || isMarkedDone(path);
    const before = this.#count;
    for (const folder of this.#folders) this.#list(folder);
    if (this.#signs.haveChanged() || this.#count > before) this.#changedAt = this.#presence.now();
    const state = this.#judge(done);
    if (state === 'complete' || state === 'stalled') {
      this.#drawn = storedTiles(this.#set, this.#level, this.#has).drawn;
      this.#lacks = judgeOutside(state, this.#notes, () => checkStray(this.#set));
    }
    return state;
  }

  #judge(done: boolean): LiveState {
    if (done || this.#count >= this.#expected) return STATES[this.#files.compare()];
    return this.#presence.now() - this.#changedAt > this.#options.stallSeconds * 1000 ? 'stalled' : 'growing';
  }

  readonly #has = (at: number, tile: number): boolean => {
    const level = this.#levels[at]!;
    const isThere = (own: number): boolean =>
      at === this.#level
        ? this.#files.has(own)
        : statFileBelow(this.#set.folder, tileName(level, own % level.cols, Math.floor(own / level.cols))) !==
          undefined;
    const shown = shownBy(level, tile);
    return isThere(tile) || (shown !== undefined && isThere(shown));
  };

  #isOther(manifest: Stats): boolean {
    if (manifest.ino === this.#born.ino) return false;
    // A share that was away may number its files anew: it is the same one when its tiles are.
    const { outages } = this.#presence;
    if (outages === this.#outages || this.#files.count === 0) return true;
    const compared = this.#files.compare();
    if (compared !== 'same') return compared === 'others';
    this.#outages = outages;
    this.#born = manifest;
    return false;
  }

  #list(folder: string): void {
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (!stats) return;
    const { mtimeMs } = stats;
    const last = this.#listed.get(folder);
    const isSame = last?.mtimeMs === mtimeMs;
    if (isSame && last.listedAt - last.since > RECENT_MS && !this.#files.inDoubt) return;
    const now = performance.now();
    const prefix = folder === this.#set.folder ? '' : `${folder.slice(this.#set.folder.length + 1)}/`;
    for (const name of readdirSync(folder)) {
      const tile = this.#tileOf(prefix + name);
      if (tile === undefined || this.#files.has(tile)) continue;
      if (!this.#files.take(tile, prefix + name, this.#expected - this.#count)) continue;
      const shown = alsoShown(this.#levels[this.#level]!, tile);
      this.#shown += shown.length;
      this.#came.push(tile, ...shown);
    }
    // Not before all of it was read: a share may answer with errors for a while.
    this.#listed.set(folder, { mtimeMs, since: isSame ? last.since : now, listedAt: now });
  }
}

/** What a slide is whose tiles have all come. */
const STATES = { same: 'complete', others: 'replaced', moving: 'growing' } as const;

/** File systems stamp folders by up to two seconds: one that was seen to change this recently is listed again. */
const RECENT_MS = 3000;
