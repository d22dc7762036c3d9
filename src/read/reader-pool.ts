import type { Arena, ArenaShape } from '../arena.js';
import { StromaflowError } from '../errors.js';
import type { OpenedSlide } from '../slide/slide.js';
import { createOverview, type OverviewCanvas } from './overview.js';
import type { PatchPlan, PatchRef } from './patch.js';
import type { ReadOutcome } from './patch-reader.js';
import { ReadAhead } from './read-ahead.js';
import { type ReaderJob, ReaderThread } from './reader-thread.js';
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
  /** Times that it was opened. */
  readonly openings: number;
  /**
   * Opens its files anew: of a share that was away, handles from before may be stale for ever. Nothing happens when that was done
   * since `openings` was read.
   *
   * @throws SLIDE_UNREADABLE
   */
  reopen(openings: number): Promise<void>;
  close(): Promise<void>;
}

export interface ReaderPoolOptions {
  readonly threads: number;
  readonly arena: Arena;
  /** Bytes of decoded tiles kept by all threads together. */
  readonly cacheBytes?: number;
}

const DEFAULT_CACHE_BYTES = 128 * 2 ** 20;

/** Reads a thread has at a time: some in work and some waiting, so that it never waits for the main thread. */
const DEPTH = 8;

/**
 * Neighbouring columns of patches go to the same thread, because they share tiles: as many as leave work for every
 * thread in the reads that are under way at a time, but at least these.
 */
const MIN_STRIPE = 2;

interface Job extends ReaderJob {
  readonly signal: AbortSignal | undefined;
  /** Thread that its column belongs to. */
  readonly home: number;
}

/** Threads that read patches of any number of slides into an arena. */
export class ReaderPool {
  readonly #threads: ReaderThread[] = [];
  readonly #queue: Job[] = [];
  /** What each thread was given last. */
  readonly #last: (Job | undefined)[] = [];
  readonly #shape: ArenaShape;
  #scheduled = false;
  #nextSlide = 1;
  #closed = false;

  static async start(options: ReaderPoolOptions): Promise<ReaderPool> {
    return new ReaderPool(options);
  }

  private constructor({ threads, arena, cacheBytes = DEFAULT_CACHE_BYTES }: ReaderPoolOptions) {
    if (!Number.isInteger(threads) || threads < 1)
      throw new StromaflowError('CONFIG_INVALID', `${threads} reader threads: must be 1 or more`);
    this.#shape = arena.shape;
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
    if (plan.patchSize !== this.#shape.patchSize)
      throw new StromaflowError(
        'CONFIG_INVALID',
        `patches of ${plan.patchSize} pixels do not fit an arena for ${this.#shape.patchSize}`,
      );
    const number = this.#nextSlide++;
    const overview = createOverview(plan);
    const request = { op: 'open', slide: number, source: slide.source, plan, rule, overview } as const;
    const opened = await Promise.allSettled(this.#threads.map(thread => thread.open(request)));
    const failure = opened.find(result => result.status === 'rejected');
    if (failure) {
      await Promise.allSettled(this.#threads.map(thread => thread.close(number)));
      throw failure.reason;
    }
    const ahead = slide.remote && new ReadAhead(slide.remote, slide.source, plan);
    let openings = 1;
    let reopening: Promise<unknown> = Promise.resolve();
    return {
      overview,
      read: (ref, slot, signal) => {
        const done = ahead?.begin(ref);
        const reading = this.#read(number, plan, ref, slot, signal);
        return done ? reading.finally(done) : reading;
      },
      get openings() {
        return openings;
      },
      reopen: async since => {
        if (since === openings) {
          openings += 1;
          reopening = Promise.all(this.#threads.map(thread => thread.reopen(request)));
          reopening.catch(() => undefined);
        }
        await reopening;
      },
      close: async () => {
        await Promise.all(this.#threads.map(thread => thread.close(number)));
      },
    };
  }

  /** Ends the threads; reads that are waiting are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.reject(closed());
    await Promise.all(this.#threads.map(thread => thread.end()));
  }

  #read(slide: number, plan: PatchPlan, ref: PatchRef, slot: number, signal?: AbortSignal): Promise<ReadOutcome> {
    if (this.#closed) return Promise.reject(closed());
    const threads = this.#threads.length;
    const stripe = Math.min(
      Math.ceil(plan.cols / threads),
      Math.max(MIN_STRIPE, Math.floor(this.#shape.slots / threads / 2)),
    );
    const home = Math.floor(ref.col / stripe) % threads;
    return new Promise((resolve, reject) => {
      this.#queue.push({ slide, ref, slot, signal, home, resolve, reject });
      // Busy threads can wait for more reads to come, and take several with one message.
      if (this.#threads.some(({ load }) => load === 0)) this.#dispatch();
      else this.#dispatchSoon();
    });
  }

  #dispatchSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (const [index, thread] of this.#threads.entries()) {
      while (thread.load < DEPTH) {
        const jobs = this.#take(index, Math.min(thread.chunk, DEPTH - thread.load), thread.load === 0);
        if (jobs.length === 0) break;
        thread.read(jobs);
      }
    }
  }

  /** Up to `count` reads of a thread's own stripes; for one that would idle, else the one nearest to its last. */
  #take(thread: number, count: number, idle: boolean): Job[] {
    const jobs: Job[] = [];
    for (let at = 0; at < this.#queue.length && jobs.length < count; ) {
      const job = this.#queue[at]!;
      if (job.signal?.aborted) job.reject(job.signal.reason);
      else if (job.home === thread) jobs.push(job);
      else {
        at++;
        continue;
      }
      this.#queue.splice(at, 1);
    }
    if (jobs.length === 0 && idle) jobs.push(...this.#queue.splice(this.#nearest(this.#last[thread]), 1));
    if (jobs.length > 0) this.#last[thread] = jobs.at(-1);
    return jobs;
  }

  /** Place in the queue of the read that shares most with an earlier one. */
  #nearest(last: Job | undefined): number {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [index, { slide, ref }] of this.#queue.entries()) {
      const near = last?.slide === slide ? Math.abs(last.ref.col - ref.col) + Math.abs(last.ref.row - ref.row) : 1e9;
      if (near < least) [best, least] = [index, near];
    }
    return best;
  }
}

const closed = (): StromaflowError => new StromaflowError('SLIDE_UNREADABLE', 'the reader threads are closed');
