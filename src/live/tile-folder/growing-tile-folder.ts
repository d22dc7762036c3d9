import { createHash } from 'node:crypto';
import { existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { StromaflowError } from '../../errors.js';
import type { OpenedSlide, TileSourceDescription } from '../../slide/slide.js';
import { ArrivalQueue } from '../arrival-queue.js';
import { keepLooking } from '../follower.js';
import type { GrowingOptions } from '../growing-tiff.js';
import { isMarkedDone } from '../growing-tiff.js';
import type { Growth, LiveSlide, LiveState, TileArrivals } from '../live-slide.js';
import { lookAgain } from '../look-again.js';
import { type RegularFile, readRegularFile } from '../regular-file.js';
import { isWholeImage } from '../tile-bytes.js';
import {
  mostBytes,
  TILE_FOLDER_KIND,
  type TileFolderDescription,
  type TileSet,
  type TileSetLevel,
  tileFolders,
  tileName,
  tileReader,
} from './tile-set.js';

/** Tiles whose bytes are part of a content's name. */
const SAMPLES = 8;

/** A tile as it was when it was given out. */
interface SeenTile {
  readonly mtimeMs: number;
  readonly size: number;
  readonly crc: number;
}

/**
 * Opens a slide that is written as one image a tile.
 *
 * Completeness contract. Expected: the tiles that the manifest announces, else the whole grid of the followed level; so the
 * slide opens when its manifest is there, early or late. A tile may be read once its file ends as its format wants; one
 * that does not is taken as it is after the settling time. The slide is complete when all expected tiles came, or when
 * `.done` stands in the folder (or `<name>.done` beside the manifest); tiles without a file are then missing.
 *
 * @throws SLIDE_NO_MPP when nobody says the spacing.
 */
export function openGrowingTileFolder(set: TileSet, options: GrowingOptions): LiveSlide {
  const mpp = options.mpp ?? set.mpp;
  if (mpp === undefined)
    throw new StromaflowError('SLIDE_NO_MPP', `${set.manifest}: does not say how many µm a pixel spans`);
  const levels = set.levels.map(level => ({ ...level, mpp: mpp * level.downsample }));
  return new GrowingTileFolder(set, levels, mpp, options);
}

class GrowingTileFolder implements LiveSlide {
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly closed: Promise<boolean>;
  readonly #options: GrowingOptions;
  readonly #set: TileSet;
  readonly #levels: readonly TileSetLevel[];
  readonly #born: Stats;
  readonly #stop = new AbortController();
  #close: (again: boolean) => void = () => undefined;
  #state: LiveState = 'growing';
  #level = 0;
  #tileOf: (name: string) => number | undefined = () => undefined;
  readonly #seen = new Map<number, SeenTile>();
  readonly #doubtful = new Map<number, number>();
  readonly #listed = new Map<string, { mtimeMs: number; listedAt: number }>();
  #folders: readonly string[] = [];
  #overwritten = 0;
  #changedAt = performance.now();

  constructor(set: TileSet, levels: readonly TileSetLevel[], mpp: number, options: GrowingOptions) {
    this.#set = set;
    this.#levels = levels;
    this.#options = options;
    this.#born = statSync(set.manifest);
    const { dev, ino, birthtimeMs } = this.#born;
    const identity = hash([dev, ino, Math.trunc(birthtimeMs), JSON.stringify(set.levels)].join(' ')).slice(0, 16);
    this.opened = {
      info: {
        id: options.id!,
        path: set.manifest,
        format: set.format,
        mpp,
        levels,
        fingerprint: `${identity}-${Date.now().toString(36)}`,
        properties: {},
      },
      source: this.sourceFor(levels.length),
    };
    this.growth = { identity, content: level => this.#content(level) };
    this.closed = new Promise(resolve => {
      this.#close = resolve;
    });
  }

  get state(): LiveState {
    return this.#state;
  }

  get tiles(): LiveSlide['tiles'] {
    const expected = this.#expected;
    const seen = this.#seen.size;
    const missing = this.#state === 'complete' ? Math.max(0, expected - seen) : 0;
    return { expected, seen, missing, overwritten: this.#overwritten };
  }

  sourceFor(level: number): TileSourceDescription {
    const { manifest, folder, colour } = this.#set;
    const description: TileFolderDescription = {
      kind: TILE_FOLDER_KIND,
      path: manifest,
      folder,
      colour,
      levels: this.#levels.slice(0, level + 1),
    };
    return description;
  }

  follow(level: number, signal: AbortSignal): AsyncIterable<TileArrivals> {
    this.#level = level;
    const geometry = this.#levels[level]!;
    this.#tileOf = tileReader(geometry);
    this.#folders = tileFolders(geometry).map(folder => join(this.#set.folder, folder));
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    const queue = new ArrivalQueue<TileArrivals>(() => this.#stop.abort());
    const watched = [...this.#folders.filter(folder => existsSync(folder)), dirname(this.#set.manifest)];
    const looking = keepLooking([...new Set(watched)], this.#options, stopped, async () => {
      const tiles = this.#look();
      if (tiles.length > 0) queue.push({ tiles, at: performance.now() });
      return this.#state === 'growing';
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
    return this.#folders.some(
      folder => statSync(folder, { throwIfNoEntry: false })?.mtimeMs !== this.#listed.get(folder)?.mtimeMs,
    );
  }

  /** Tiles of the followed level that are to come. */
  get #expected(): number {
    const { cols, rows } = this.#levels[this.#level]!;
    return this.#level === 0 ? Math.min(this.#set.tiles ?? cols * rows, cols * rows) : cols * rows;
  }

  #look(): number[] {
    const manifest = statSync(this.#set.manifest, { throwIfNoEntry: false });
    if (!manifest || manifest.ino !== this.#born.ino) {
      this.#state = manifest ? 'replaced' : 'gone';
      return [];
    }
    // The marker is looked for first: tiles that were written before it are then seen by this very look.
    const done = existsSync(join(this.#set.folder, '.done')) || isMarkedDone(this.#set.manifest);
    const came: number[] = [];
    for (const folder of this.#folders) this.#list(folder, came);
    if (came.length > 0) this.#changedAt = performance.now();
    if (done || this.#seen.size >= this.#expected) this.#state = this.#wasRewritten() ? 'replaced' : 'complete';
    else if (performance.now() - this.#changedAt > this.#options.stallSeconds * 1000) this.#state = 'stalled';
    return came;
  }

  #list(folder: string, came: number[]): void {
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (!stats) return;
    const { mtimeMs } = stats;
    const last = this.#listed.get(folder);
    const isOld = last?.mtimeMs === mtimeMs && last.listedAt - mtimeMs > RECENT_MS;
    if (isOld && this.#doubtful.size === 0) return;
    this.#listed.set(folder, { mtimeMs, listedAt: Date.now() });
    const prefix = folder === this.#set.folder ? '' : `${folder.slice(this.#set.folder.length + 1)}/`;
    for (const name of readdirSync(folder)) {
      const tile = this.#tileOf(prefix + name);
      if (tile !== undefined && !this.#seen.has(tile) && this.#take(tile, prefix + name)) came.push(tile);
    }
  }

  #read(name: string, geometry: TileSetLevel): RegularFile | undefined {
    const { folder } = this.#set;
    return readRegularFile(join(folder, name), mostBytes(geometry), folder);
  }

  #take(tile: number, name: string): boolean {
    const file = this.#read(name, this.#levels[this.#level]!);
    if (!file) return false;
    if (!isWholeImage(name, file.bytes)) {
      const since = this.#doubtful.get(tile) ?? performance.now();
      this.#doubtful.set(tile, since);
      if (performance.now() - since < this.#options.settleSeconds * 1000) return false;
    }
    this.#doubtful.delete(tile);
    const { mtimeMs, size } = file.stats;
    this.#seen.set(tile, { mtimeMs, size, crc: crc32(file.bytes) });
    return true;
  }

  /** Looks once, at the end, whether tiles were written again; true when one has other bytes than those that were read. */
  #wasRewritten(): boolean {
    const geometry = this.#levels[this.#level]!;
    for (const [tile, seen] of this.#seen) {
      const name = tileName(geometry, tile % geometry.cols, Math.floor(tile / geometry.cols));
      const path = join(this.#set.folder, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (!stats || (stats.mtimeMs === seen.mtimeMs && stats.size === seen.size)) continue;
      const bytes = this.#read(name, geometry)?.bytes;
      this.#overwritten += 1;
      if (bytes && crc32(bytes) !== seen.crc) return true;
    }
    return false;
  }

  #content(level: number): string {
    const geometry = this.#levels[level]!;
    const digest = createHash('sha256');
    const tiles = geometry.cols * geometry.rows;
    for (let sample = 0; sample < Math.min(SAMPLES, tiles); sample++) {
      const tile = Math.floor((sample * tiles) / Math.min(SAMPLES, tiles));
      const name = tileName(geometry, tile % geometry.cols, Math.floor(tile / geometry.cols));
      const bytes = this.#read(name, geometry)?.bytes;
      digest.update(`${bytes?.length ?? 'none'} `).update(bytes ?? '');
    }
    return digest.digest('hex').slice(0, 32);
  }
}

/** File systems stamp folders by up to two seconds: one that changed this recently is listed again. */
const RECENT_MS = 3000;

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
