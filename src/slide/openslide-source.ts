import { StromaflowError } from '../errors.js';
import { loadOpenSlide, type OpenSlideHandle } from './libopenslide.js';
import type { LevelGeometry, TileSource, TileState } from './slide.js';

/** Description of a slide that OpenSlide reads (kind 'openslide'). A type, so that it fits TileSourceDescription. */
export type OpenSlideDescription = {
  readonly kind: 'openslide';
  readonly path: string;
  readonly levels: readonly LevelGeometry[];
};

/** Reads tiles of the stored size through libopenslide, with a handle of its own. */
export class OpenSlideSource implements TileSource {
  readonly levels: readonly LevelGeometry[];
  /** OpenSlide itself draws what a level lacks. */
  readonly sameInAllLevels = true;
  readonly #path: string;
  #handle: OpenSlideHandle;
  #argb = new Uint32Array(0);

  /** @throws SLIDE_UNSUPPORTED without libopenslide, SLIDE_UNREADABLE when it cannot open the file. */
  constructor({ path, levels }: OpenSlideDescription) {
    this.levels = levels;
    this.#path = path;
    this.#handle = openHandle(path);
  }

  readTile(level: number, col: number, row: number, into: Uint8Array): TileState {
    const { width, height, downsample, tileWidth, tileHeight } = this.levels[level]!;
    const across = Math.min(tileWidth, width - col * tileWidth);
    const down = Math.min(tileHeight, height - row * tileHeight);
    if (this.#argb.length < across * down) this.#argb = new Uint32Array(tileWidth * tileHeight);
    const x = Math.round(col * tileWidth * downsample);
    const y = Math.round(row * tileHeight * downsample);
    this.#handle.readRegion(this.#argb, x, y, level, across, down);
    const error = this.#handle.error();
    if (error) {
      // A handle that failed once fails for ever; one bad tile must not take the rest of the slide with it.
      this.#handle.close();
      this.#handle = openHandle(this.#path);
      throw new StromaflowError('TILE_CORRUPT', `${this.#path}: tile (${col}, ${row}) of level ${level}: ${error}`);
    }
    return overWhite(this.#argb, across, down, into, tileWidth);
  }

  close(): void {
    this.#handle.close();
  }
}

/** Opens a file with libopenslide. Throws SLIDE_UNSUPPORTED or SLIDE_UNREADABLE. */
function openHandle(path: string): OpenSlideHandle {
  const library = loadOpenSlide();
  if (!library) throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: needs OpenSlide, which is not installed`);
  const handle = library.open(path);
  const error = handle ? handle.error() : 'is no slide that OpenSlide knows';
  if (!handle || error) {
    handle?.close();
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: ${error}`);
  }
  return handle;
}

/** Pre-multiplied ARGB over white to RGB; 'missing' when nothing of the tile is stored. */
function overWhite(argb: Uint32Array, width: number, height: number, into: Uint8Array, stride: number): TileState {
  let opaque = 0;
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0, to = y * stride * 3; x < width; x++, from++, to += 3) {
      const pixel = argb[from] as number;
      const white = 255 - (pixel >>> 24);
      opaque |= pixel >>> 24;
      into[to] = ((pixel >>> 16) & 255) + white;
      into[to + 1] = ((pixel >>> 8) & 255) + white;
      into[to + 2] = (pixel & 255) + white;
    }
  }
  return opaque === 0 ? 'missing' : 'decoded';
}
