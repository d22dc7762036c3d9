import { StromaflowError } from '../../errors.js';
import { ChildLost } from '../../process/ask-child.js';
import type { LevelGeometry, TileSource, TileState } from '../slide.js';
import { LIMITS, type OpenSlideLimits, OpenSlideProcess } from './openslide-process.js';

/** One level, and OpenSlide's number of it. */
export interface OpenSlideLevel extends LevelGeometry {
  readonly number: number;
}

/** Description of a slide that OpenSlide reads (kind 'openslide'). A type, so that it fits TileSourceDescription. */
export type OpenSlideDescription = {
  readonly kind: 'openslide';
  readonly path: string;
  readonly levels: readonly OpenSlideLevel[];
};

/** Tries of a tile whose process is lost: what killed it may have been another's need of memory. */
const TRIES = 2;

/** Tiles that may each cost their process, after which the slide is given up. */
const MAX_LOST_TILES = 3;

/**
 * Reads tiles of the stored size through OpenSlide, in a process that this slide has for itself in this thread. A process that
 * is lost over a tile is replaced; the others go on.
 */
export class OpenSlideSource implements TileSource {
  readonly levels: readonly OpenSlideLevel[];
  /** OpenSlide itself draws what a level lacks. */
  readonly sameInAllLevels = true;
  readonly #path: string;
  readonly #limits: OpenSlideLimits;
  #process: OpenSlideProcess | undefined;
  #lostTiles = 0;
  #givenUp: StromaflowError | undefined;
  #closed = false;

  /** @throws SLIDE_UNSUPPORTED without libopenslide, SLIDE_UNREADABLE when it cannot open the file, OPENSLIDE_FAILED. */
  static async open(description: OpenSlideDescription, limits: OpenSlideLimits = LIMITS): Promise<OpenSlideSource> {
    const source = new OpenSlideSource(description, limits);
    try {
      source.#process = await source.#start();
    } catch (error) {
      throw error instanceof ChildLost ? source.#failed(error, 'when it opened the slide') : error;
    }
    return source;
  }

  private constructor({ path, levels }: OpenSlideDescription, limits: OpenSlideLimits) {
    this.levels = levels;
    this.#path = path;
    this.#limits = limits;
  }

  /** Number of the process that holds the slide now. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** @throws TILE_CORRUPT; OPENSLIDE_FAILED once too many tiles have cost their process; SLIDE_UNREADABLE. */
  async readTile(level: number, col: number, row: number, into: Uint8Array): Promise<TileState> {
    const { number, width, height, downsample, tileWidth, tileHeight } = this.levels[level]!;
    const region = {
      level: number,
      x: Math.round(col * tileWidth * downsample),
      y: Math.round(row * tileHeight * downsample),
      width: Math.min(tileWidth, width - col * tileWidth),
      height: Math.min(tileHeight, height - row * tileHeight),
      stride: tileWidth * 3,
    };
    const name = `tile (${col}, ${row}) of level ${level}`;
    for (let left = TRIES; ; ) {
      if (this.#givenUp) throw this.#givenUp;
      try {
        this.#process ??= await this.#start();
        const state = await this.#process.read(region, into);
        if (typeof state === 'string' || 'gaps' in state) return state;
        throw new StromaflowError('TILE_CORRUPT', `${this.#path}: ${name}: ${state.problem}`);
      } catch (error) {
        if (!(error instanceof ChildLost)) throw error;
        await this.#process?.close();
        this.#process = undefined;
        if (this.#closed) throw this.#failed(error, `at ${name}`);
        // A hang has taken long enough.
        left = error.reason === 'silent' ? 0 : left - 1;
        if (left === 0) throw this.#lose(error, name);
      }
    }
  }

  close(): void {
    this.#closed = true;
    void this.#process?.close();
  }

  async #start(): Promise<OpenSlideProcess> {
    const bytes = Math.max(...this.levels.map(({ tileWidth, tileHeight }) => tileWidth * tileHeight * 3));
    const opened = await OpenSlideProcess.open(this.#path, { bytes, limits: this.#limits });
    if ('process' in opened) return opened.process;
    if (opened.version === undefined)
      throw new StromaflowError('SLIDE_UNSUPPORTED', `${this.#path}: needs OpenSlide, which is not installed`);
    throw new StromaflowError('SLIDE_UNREADABLE', `${this.#path}: OpenSlide ${opened.version}: ${opened.why}`);
  }

  /** One tile less; after a few no more are tried. */
  #lose(error: ChildLost, name: string): StromaflowError {
    this.#lostTiles += 1;
    if (this.#lostTiles < MAX_LOST_TILES)
      return new StromaflowError('TILE_CORRUPT', `${this.#path}: OpenSlide ${error.message} at ${name}`, {
        cause: error,
      });
    this.#givenUp = this.#failed(error, `at the ${MAX_LOST_TILES}rd tile that cost its process, ${name}`);
    return this.#givenUp;
  }

  #failed(error: ChildLost, when: string): StromaflowError {
    return new StromaflowError('OPENSLIDE_FAILED', `${this.#path}: OpenSlide ${error.message} ${when}`, {
      cause: error,
    });
  }
}
