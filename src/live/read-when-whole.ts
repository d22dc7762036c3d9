import { setTimeout as sleep } from 'node:timers/promises';

const TORN_READS = 4;
const TORN_MS = 3;

/**
 * A directory that was read while a tile was entered is whole a moment later; where only polling tells, waiting for the next
 * look would cost an interval.
 *
 * @returns undefined where it stays so, is not there, or cannot be read: nothing is known of what came.
 */
export async function readWhenWhole(read: () => Promise<number[]>): Promise<number[] | undefined> {
  for (let attempt = 1; attempt < TORN_READS; attempt++) {
    const tiles = await read().catch(() => undefined);
    if (tiles) return tiles;
    await sleep(TORN_MS);
  }
  return read().catch(() => undefined);
}
