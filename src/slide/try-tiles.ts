import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ForeignTileError } from '../codec/foreign-tile.js';
import { fromWire, StromaflowError, type WireError } from '../errors.js';
import { endsSlide } from './ends-slide.js';
import { NDTIFF_KIND } from './ndtiff/description.js';
import { openTileSource } from './open-source.js';
import { statFileBelow } from './regular-file.js';
import { REMOTE_TIFF_KIND } from './remote/description.js';
import { compareLevels, type Likeness } from './same-picture.js';
import type { LevelGeometry, SlideBounds, TileSource, TileSourceDescription } from './slide.js';
import type { TiffLevel } from './tiff/description.js';
import { TILE_FOLDER_KIND, type TileFolderDescription, tileName } from './tile-folder/tile-set.js';

/** Levels whose tiles are of a kind that their reader does not read, and what it says of the tile that was tried first. */
export type UnreadLevels = ReadonlyMap<number, StromaflowError>;

/** What tiles of a slide say of it. */
export interface TriedTiles {
  readonly unread: UnreadLevels;
  /** A tile of the finest level has no colour, though it is not all one grey: the slide has none. */
  readonly grey: boolean;
  /** Levels that are so by their size alone, and do not show what the next finer one shows; 'flat' where nothing tells. */
  readonly unlike: ReadonlyMap<number, Exclude<Likeness, 'same'>>;
}

/** Where in a level tiles are tried: one alone may be damaged so that it looks like another kind. */
const PLACES = [0.5, 0.25, 0.75] as const;

/** A tile of more pixels takes longer than the main thread should stand still. */
const QUICK_PIXELS = 512 * 512;

/**
 * Tries a tile of each level, two more where it is not read, so that a slide of a kind nobody here reads is told when
 * it is opened and not patch by patch; and whether levels that are so by their size alone show the slide. Damage is not what is looked for: it is reported where it lies.
 *
 * @param within the scanned part of the slide: elsewhere there is nothing to try.
 * @throws the errors of openTileSource; OPENSLIDE_FAILED; the signal's reason.
 */
export async function tryTiles(
  description: TileSourceDescription,
  levels: readonly LevelGeometry[],
  within?: SlideBounds,
  signal?: AbortSignal,
): Promise<TriedTiles> {
  const places = levels.map((level, index) => placesIn(storedIn(description, index), level, within));
  const slow = levels.some(({ tileWidth, tileHeight }) => tileWidth * tileHeight > QUICK_PIXELS);
  // OpenSlide reads in a process of its own, whatever the size.
  const waits = description.kind === REMOTE_TIFF_KIND;
  if ((slow && description.kind !== 'openslide') || waits) return tryInThread({ description, places }, signal);
  return tryHere({ description, places }, signal);
}

/** A place is a tile's number, row by row. */
export interface Trial {
  readonly description: TileSourceDescription;
  readonly places: readonly (readonly number[])[];
}

/** Tries them in the calling thread. */
export async function tryHere({ description, places }: Trial, signal?: AbortSignal): Promise<TriedTiles> {
  const unread = new Map<number, StromaflowError>();
  let grey = false;
  const source = await openTileSource(description);
  try {
    for (const [level, tiles] of places.entries()) {
      const { width, tileWidth, tileHeight } = source.levels[level]!;
      const cols = Math.ceil(width / tileWidth);
      const into = new Uint8Array(tileWidth * tileHeight * 3);
      let first: StromaflowError | undefined;
      for (const tile of tiles) {
        await setImmediate();
        signal?.throwIfAborted();
        const problem = await problemOf(() => source.readTile(level, tile % cols, Math.floor(tile / cols), into));
        if (problem === 'none' && level === 0) grey = hasNoColour(into, source.levels[level]!, tile);
        if (problem === 'none' || !isForeign(problem, description)) {
          first = undefined;
          break;
        }
        first ??= problem;
      }
      if (first) unread.set(level, first);
    }
    return { unread, grey, unlike: await findUnlike(source, bySize(description), unread, signal) };
  } finally {
    source.close();
  }
}

/** Levels that nothing but their size says to be one. */
export const bySize = ({ kind, levels }: TileSourceDescription): number[] =>
  kind === 'tiff' || kind === REMOTE_TIFF_KIND
    ? (levels as readonly TiffLevel[]).flatMap((level, index) => (level.bySize ? [index] : []))
    : [];

async function findUnlike(
  source: TileSource,
  doubted: readonly number[],
  unread: UnreadLevels,
  signal: AbortSignal | undefined,
): Promise<TriedTiles['unlike']> {
  const unlike = new Map<number, Exclude<Likeness, 'same'>>();
  if (unread.has(0)) return unlike;
  for (const level of doubted.filter(index => !unread.has(index))) {
    await setImmediate();
    signal?.throwIfAborted();
    const finer = source.levels.findLastIndex((_, index) => index < level && !unread.has(index) && !unlike.has(index));
    const likeness = await compareLevels(source, finer, level);
    if (likeness !== 'same') unlike.set(level, likeness);
  }
  return unlike;
}

/** True for a tile of several greys and no colour. */
function hasNoColour(
  pixels: Uint8Array,
  { width, height, tileWidth, tileHeight }: LevelGeometry,
  tile: number,
): boolean {
  const cols = Math.ceil(width / tileWidth);
  const across = Math.min(tileWidth, width - (tile % cols) * tileWidth);
  const down = Math.min(tileHeight, height - Math.floor(tile / cols) * tileHeight);
  let several = false;
  for (let y = 0; y < down; y++)
    for (let at = y * tileWidth * 3; at < (y * tileWidth + across) * 3; at += 3) {
      if (pixels[at] !== pixels[at + 1] || pixels[at] !== pixels[at + 2]) return false;
      several ||= pixels[at] !== pixels[0];
    }
  return several;
}

async function problemOf(read: () => unknown): Promise<'none' | StromaflowError> {
  try {
    await read();
    return 'none';
  } catch (error) {
    if (!(error instanceof StromaflowError) || endsSlide(error)) throw error;
    return error;
  }
}

/** OpenSlide does not tell damage from what it cannot read. */
const isForeign = (error: StromaflowError, { kind }: TileSourceDescription): boolean =>
  error instanceof ForeignTileError || (kind === 'openslide' && error.code === 'TILE_CORRUPT');

/** In a thread of its own, which ends afterwards. */
function tryInThread(trial: Trial, signal: AbortSignal | undefined): Promise<TriedTiles> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./try-tiles.worker.js', import.meta.url), { workerData: trial });
    // A thread inside a native codec must not be stopped: it ends by itself.
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    worker.once('message', (answer: TrialAnswer) => {
      if ('error' in answer) reject(fromWire(answer.error));
      else resolve({ ...answer, unread: new Map(answer.unread.map(([level, error]) => [level, fromWire(error)])) });
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      signal?.removeEventListener('abort', onAbort);
      reject(
        new StromaflowError('SLIDE_UNREADABLE', `${trial.description.path}: the thread that tried its tiles ended`),
      );
    });
  });
}

/** What the thread answers, once. */
export type TrialAnswer =
  | (Omit<TriedTiles, 'unread'> & { readonly unread: readonly (readonly [level: number, error: WireError])[] })
  | { readonly error: WireError };

/** Says which tiles of a level are stored, where the description lists them or each has a file of its own. */
function storedIn(description: TileSourceDescription, level: number): ((tile: number) => boolean) | undefined {
  const { kind, levels } = description;
  if (kind === TILE_FOLDER_KIND) return fileOf(description as unknown as TileFolderDescription, level);
  if (kind === NDTIFF_KIND) {
    const { offsets } = (levels as readonly { offsets: Float64Array }[])[level]!;
    return tile => offsets[tile]! > 0;
  }
  if (kind !== 'tiff' && kind !== REMOTE_TIFF_KIND && kind !== 'dicom') return undefined;
  const listed = (levels as readonly { byteCounts?: Float64Array; parts?: Int32Array }[])[level];
  const { byteCounts, parts } = listed ?? {};
  if (byteCounts) return tile => byteCounts[tile]! > 0;
  return parts ? tile => parts[tile]! >= 0 : undefined;
}

/** Files are asked for once each: of a nearly empty folder that is all of them. */
function fileOf({ folder, levels }: TileFolderDescription, level: number): (tile: number) => boolean {
  const geometry = levels[level]!;
  const known = new Map<number, boolean>();
  return tile => {
    const before = known.get(tile);
    if (before !== undefined) return before;
    const name = tileName(geometry, tile % geometry.cols, Math.floor(tile / geometry.cols));
    const isThere = name !== '' && statFileBelow(folder, name) !== undefined;
    known.set(tile, isThere);
    return isThere;
  };
}

/** The numbers of the tiles to try, stored ones where that is known. */
function placesIn(
  isStored: ((tile: number) => boolean) | undefined,
  { width, height, downsample, tileWidth, tileHeight }: LevelGeometry,
  within: SlideBounds | undefined,
): number[] {
  const cols = Math.ceil(width / tileWidth);
  const rows = Math.ceil(height / tileHeight);
  const {
    x,
    y,
    width: across,
    height: down,
  } = within ?? {
    x: 0,
    y: 0,
    width: width * downsample,
    height: height * downsample,
  };
  const places = PLACES.map(part => {
    const col = Math.min(cols - 1, Math.floor((x + across * part) / downsample / tileWidth));
    const row = Math.min(rows - 1, Math.floor((y + down * part) / downsample / tileHeight));
    return row * cols + col;
  });
  const found = isStored ? places.flatMap(place => nearest(place, cols * rows, isStored) ?? []) : places;
  return [...new Set(found)];
}

/** The stored tile next to a place in the order of the file. */
function nearest(place: number, tiles: number, isStored: (tile: number) => boolean): number | undefined {
  for (let away = 0; away < tiles; away++) {
    if (place + away < tiles && isStored(place + away)) return place + away;
    if (place - away >= 0 && isStored(place - away)) return place - away;
  }
  return undefined;
}
