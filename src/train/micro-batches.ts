import type { CreditPool } from '../stage/credit.js';
import type { Augmentation } from './augmentation.js';
import type { IndexedPatch } from './patch-index.js';
import type { TrainBatch } from './port.js';
import type { SampleSource } from './sample-reader.js';
import type { SampleThreads } from './sample-threads.js';

export interface MicroBatchOptions {
  readonly index: { readonly items: readonly { readonly sample: SampleSource }[] };
  readonly threads: Pick<SampleThreads, 'read' | 'slot'>;
  /** Side of a patch, and patches a batch. */
  readonly side: number;
  readonly size: number;
  /** Free slots: how many patches are read ahead at most. */
  readonly credits: CreditPool;
  /** How the patch at this place of the order is changed; as it is unless given. */
  readonly change?: (place: number) => Augmentation;
  readonly signal: AbortSignal;
}

/**
 * Patches in the order given, in batches, the last of which may be smaller. Threads read ahead as far as there are credits, whoever takes the
 * batches sets the pace, and the order never depends on which thread is faster.
 * @param from place of the first patch that is wanted
 * @throws what reading throws, and the signal's reason
 */
export async function* microBatches(
  patches: readonly IndexedPatch[],
  order: readonly number[],
  from: number,
  options: MicroBatchOptions,
): AsyncGenerator<TrainBatch, void, undefined> {
  const { side, size, credits, signal, threads } = options;
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const ahead: Promise<number>[] = [];
  let next = from;
  const startOne = async (): Promise<boolean> => {
    if (next >= order.length) return false;
    // What is waited for must be under way: where nothing is, the credit is waited for, else only taken where it is free.
    if (ahead.length > 0 && credits.free === 0) return false;
    const slot = await credits.acquire(stopped);
    if (slot === undefined) stopped.throwIfAborted();
    ahead.push(readInto(slot!, patches[order[next]!]!, next, options));
    ahead.at(-1)!.catch(() => undefined);
    next++;
    return true;
  };
  try {
    for (let place = from; place < order.length; place += size) {
      const count = Math.min(size, order.length - place);
      const batch = {
        size: side,
        images: new Uint8Array(count * side * side * 3),
        labels: new Uint8Array(count * side * side),
      };
      for (let i = 0; i < count; i++) {
        while (await startOne());
        const slot = await ahead.shift()!;
        const { image, labels } = threads.slot(slot);
        batch.images.set(image, i * image.length);
        batch.labels.set(labels, i * labels.length);
        credits.release(slot);
      }
      while (await startOne());
      yield batch;
    }
  } finally {
    stop.abort();
    for (const slot of await Promise.allSettled(ahead)) if (slot.status === 'fulfilled') credits.release(slot.value);
  }
}

/** The slot, once the patch is in it. */
async function readInto(
  slot: number,
  { item, col, row }: IndexedPatch,
  place: number,
  { index, threads, change, credits }: MicroBatchOptions,
): Promise<number> {
  try {
    await threads.read({ sample: index.items[item]!.sample, col, row, slot, change: change?.(place) });
    return slot;
  } catch (error) {
    credits.release(slot);
    throw error;
  }
}
