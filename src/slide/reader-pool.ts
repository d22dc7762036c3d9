import { StromaflowError } from '../errors.js';
import type { Arena } from '../stage/arena.js';
import { createOverview, type OverviewCanvas } from './overview.js';
import type { PatchPlan, PatchRef } from './patch.js';
import type { ReadOutcome } from './patch-reader.js';
import { ReaderThread } from './reader-thread.js';
import type { OpenedSlide } from './slide.js';
import type { TissueRule } from './tissue.js';

export type { OverviewCanvas } from './overview.js';
export type { ReadOutcome } from './patch-reader.js';

export interface SlideHandle {
  /**
   * Reads a patch into an arena slot. The slot belongs to the reader until the promise settles, also after `signal`
   * aborted: a read that has begun is finished first.
   *
   * Rejects with TILE_CORRUPT (this patch only), SLIDE_UNREADABLE, or the signal's reason.
   */
  read(ref: PatchRef, slot: number, signal?: AbortSignal): Promise<ReadOutcome>;
  close(): Promise<void>;
}

export interface ReaderPoolOptions {
  readonly threads: number;
  readonly arena: Arena;
  /** Bytes of decoded tiles kept by all threads together. */
  readonly cacheBytes?: number;
}

const DEFAULT_CACHE_BYTES = 128 * 2 ** 20;

/** Reads a thread has at a time: one in work and one waiting, so that it never waits for the main thread. */
const DEPTH = 2;

/** Columns of patches that go to the same thread: neighbours share tiles, and a thread keeps its own. */
const STRIPE = 4;

interface Job {
  readonly slide: number;
  readonly ref: PatchRef;
  readonly slot: number;
  readonly signal: AbortSignal | undefined;
  readonly thread: number;
  resolve(outcome: ReadOutcome): void;
  reject(reason: unknown): void;
}

/** Threads that read patches of any number of slides into an arena. */
export class ReaderPool {
  readonly #threads: ReaderThread[] = [];
  readonly #queue: Job[] = [];
  #nextSlide = 1;
  #closed = false;

  static async start(options: ReaderPoolOptions): Promise<ReaderPool> {
    return new ReaderPool(options);
  }

  private constructor({ threads, arena, cacheBytes = DEFAULT_CACHE_BYTES }: ReaderPoolOptions) {
    if (!Number.isInteger(threads) || threads < 1)
      throw new StromaflowError('CONFIG_INVALID', `${threads} reader threads: must be 1 or more`);
    const data = { shape: arena.shape, shared: arena.shared, cacheBytes: Math.floor(cacheBytes / threads) };
    for (let i = 0; i < threads; i++) this.#threads.push(new ReaderThread(data, () => this.#dispatch()));
  }

  /**
   * Opens a slide in every thread.
   *
   * @param rule null keeps every patch.
   * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED; CONFIG_INVALID when the arena's patches have another size.
   */
  async open(
    slide: OpenedSlide,
    plan: PatchPlan,
    rule: TissueRule | null,
  ): Promise<SlideHandle & { readonly overview: OverviewCanvas }> {
    const number = this.#nextSlide++;
    const overview = createOverview(plan);
    const request = { op: 'open', slide: number, source: slide.source, plan, rule, overview } as const;
    const opened = await Promise.allSettled(this.#threads.map(thread => thread.open(request)));
    const failure = opened.find(result => result.status === 'rejected');
    if (failure) {
      await Promise.allSettled(this.#threads.map(thread => thread.close(number)));
      throw failure.reason;
    }
    return {
      overview,
      read: (ref, slot, signal) => this.#read(number, plan, ref, slot, signal),
      close: async () => {
        await Promise.all(this.#threads.map(thread => thread.close(number)));
      },
    };
  }

  /** Ends the threads; reads that are waiting are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const closed = new StromaflowError('SLIDE_UNREADABLE', 'the reader threads are closed');
    for (const job of this.#queue.splice(0)) job.reject(closed);
    await Promise.all(this.#threads.map(thread => thread.end()));
  }

  #read(slide: number, plan: PatchPlan, ref: PatchRef, slot: number, signal?: AbortSignal): Promise<ReadOutcome> {
    if (this.#closed) return Promise.reject(new StromaflowError('SLIDE_UNREADABLE', 'the reader threads are closed'));
    const stripe = Math.min(STRIPE, Math.ceil(plan.cols / this.#threads.length));
    const thread = Math.floor(ref.col / stripe) % this.#threads.length;
    return new Promise((resolve, reject) => {
      this.#queue.push({ slide, ref, slot, signal, thread, resolve, reject });
      this.#dispatch();
    });
  }

  /** Gives every thread with room the oldest read of its own stripes, or the oldest of all before it idles. */
  #dispatch(): void {
    for (const [index, thread] of this.#threads.entries()) {
      while (thread.load < DEPTH) {
        const own = this.#queue.findIndex(job => job.thread === index);
        const next = own >= 0 ? own : thread.load === 0 ? 0 : -1;
        const [job] = next >= 0 ? this.#queue.splice(next, 1) : [];
        if (!job) break;
        if (job.signal?.aborted) job.reject(job.signal.reason);
        else thread.read(job.slide, job.ref.col, job.ref.row, job.slot).then(job.resolve, job.reject);
      }
    }
  }
}
