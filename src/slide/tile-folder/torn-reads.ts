import { setTimeout as sleep } from 'node:timers/promises';
import { ForeignTileError } from '../../codec/foreign-tile.js';
import { StromaflowError } from '../../errors.js';

const FIRST_MS = 5;
/** 5, 10, 20 … ms: one tile is waited for no longer than 1.3 s. */
const LONGEST_MS = 640;
/** For all tiles of a slide together, per reader: one that is damaged throughout must not take a second a tile. */
const PATIENCE_MS = 5000;

/**
 * A tile that has a file of its own may be written again, by whoever stitches or corrects it, while it is read: emptied first, and filled a moment later. What
 * does not decode is read again, until it does or it has been waited for long enough.
 */
export class TornReads {
  #patienceMs = PATIENCE_MS;
  readonly #pause: (ms: number) => Promise<unknown>;

  constructor(pause: (ms: number) => Promise<unknown> = ms => sleep(ms)) {
    this.#pause = pause;
  }

  /** @throws what `read` throws in the end. */
  async untilWhole<T>(read: () => Promise<T>): Promise<T> {
    for (let ms = FIRST_MS; ; ms *= 2) {
      try {
        return await read();
      } catch (error) {
        if (!mayBeTorn(error) || ms > LONGEST_MS || ms > this.#patienceMs) throw error;
        this.#patienceMs -= ms;
        await this.#pause(ms);
      }
    }
  }
}

/** A sound tile of a kind that is not read stays one. */
const mayBeTorn = (error: unknown): boolean =>
  error instanceof StromaflowError && error.code === 'TILE_CORRUPT' && !(error instanceof ForeignTileError);
