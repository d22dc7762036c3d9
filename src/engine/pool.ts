import { StromaflowError, toStromaflowError } from '../errors.js';
import { EngineThread } from './engine-thread.js';
import { Lane } from './lane.js';
import type { EngineWorkerData } from './protocol.js';
import type { BatchMasks, EngineInfo, Segmenter } from './segmenter.js';

/** Something an operator may want to know; the pool has dealt with it. */
export type EngineEvent =
  /** After so many failures in a row; `error` is the last of them. */
  | { readonly type: 'restarted'; readonly failures: number; readonly error: StromaflowError }
  | { readonly type: 'batch-lowered'; readonly batch: number }
  | { readonly type: 'quarantined'; readonly slot: number; readonly error: StromaflowError }
  /** Nothing succeeds any more; every call from now on rejects with it. */
  | { readonly type: 'gave-up'; readonly error: StromaflowError };

/** A model, and the threads that run it. */
export interface Crew {
  readonly model: { readonly name: string; readonly version: string; readonly threshold: number };
  /** One thread each. */
  readonly threads: readonly (EngineWorkerData & { readonly arena: object })[];
}

export interface PoolOptions {
  readonly crew: Crew;
  /** Of 'auto'; see EngineInfo. */
  readonly choice?: string;
  readonly onEvent?: (event: EngineEvent) => void;
  /** The thread's script; the engine's own unless given. */
  readonly script?: URL;
  /** See restartDelay. */
  readonly delay?: (failures: number) => number;
  readonly signal?: AbortSignal;
}

const SCRIPT = new URL('./engine.worker.js', import.meta.url);

/** Milliseconds before the n-th restart in a row: at once, then half a second doubled each time, at most 30 s. */
export function restartDelay(failures: number): number {
  return failures <= 1 ? 0 : Math.min(30_000, 500 * 2 ** (failures - 2));
}

/**
 * A segmenter over one or more engine threads, which survives their deaths:
 * - a thread that fails is replaced, after a delay that grows with failures in a row, and its batches are done again;
 * - a batch that fails twice is halved, and so on, until the patch that does it is alone: it is reported as failed;
 * - a batch that runs out of memory is halved too, and later batches keep to what went through;
 * - when nothing succeeds any more, calls reject with ENGINE_FAILED.
 * A native crash is a failure like any other where the engine runs in a process of its own (see process/); in a thread it
 * ends the whole process, and the ledger is what a restart goes on from.
 */
export class EnginePool implements Segmenter {
  readonly #options: PoolOptions;
  readonly #slots: number;
  readonly #onEvent: (event: EngineEvent) => void;
  readonly info: EngineInfo;
  readonly #lanes: readonly Lane[];
  /** More failures in a row than the narrowing down of one bad patch can cause. */
  readonly #patience: number;
  #failures = 0;
  #lastFailure = new StromaflowError('ENGINE_FAILED', 'the engine failed');
  #limit: number;
  #dead: StromaflowError | undefined;

  /** Resolves when every thread is warm. Rejects with what a thread says is wrong, or with the signal's reason. */
  static async start(options: PoolOptions): Promise<EnginePool> {
    const { crew, script = SCRIPT, signal } = options;
    return new EnginePool(await startAll(crew, script, signal), options);
  }

  private constructor(threads: readonly EngineThread[], options: PoolOptions) {
    const { batch } = options.crew.threads[0]!.backend;
    this.#options = options;
    this.#slots = options.crew.threads[0]!.arena.shape.slots;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#limit = batch;
    this.#patience = 4 + Math.ceil(Math.log2(batch));
    this.info = infoOf(threads, options);
    this.#lanes = this.#lanesOf(threads, options.crew);
  }

  #lanesOf(threads: readonly EngineThread[], crew: Crew): Lane[] {
    const { script = SCRIPT, delay = restartDelay } = this.#options;
    return threads.map(
      (thread, i) =>
        new Lane(thread, {
          start: signal => EngineThread.start(script, this.#fitting(crew.threads[i]!), signal),
          delay,
          failures: () => this.#failures,
          onStartFailed: error => this.#count(toStromaflowError(error, 'ENGINE_FAILED')),
          onRestarted: () => this.#onEvent({ type: 'restarted', failures: this.#failures, error: this.#lastFailure }),
        }),
    );
  }

  /** A thread that replaces one need not prepare for batches that memory has no room for. */
  #fitting<T extends EngineWorkerData>(data: T): T {
    return { ...data, backend: { ...data.backend, batch: this.#limit } };
  }

  async segment(slots: readonly number[], signal?: AbortSignal): Promise<BatchMasks> {
    if (slots.length === 0 || slots.length > this.info.batch)
      throw new RangeError(`${slots.length} patches in a batch of ${this.info.batch}`);
    const outside = slots.find(slot => !Number.isInteger(slot) || slot < 0 || slot >= this.#slots);
    if (outside !== undefined) throw new RangeError(`slot ${outside} of ${this.#slots}`);
    if (this.#dead) throw this.#dead;
    signal?.throwIfAborted();
    const masks = this.#limited(slots).catch(error => {
      throw this.#dead ?? error;
    });
    return signal ? unlessAborted(masks, signal) : masks;
  }

  /** Lets running batches end, frees the models and waits for the threads; calls still open fail. */
  async close(): Promise<void> {
    this.#dead ??= new StromaflowError('ENGINE_FAILED', 'the engine is closed');
    await Promise.all(this.#lanes.map(lane => lane.close()));
  }

  /** In pieces no larger than memory has room for. */
  async #limited(slots: readonly number[], attempts = 0): Promise<BatchMasks> {
    if (slots.length <= this.#limit) return this.#attempt(slots, 0, attempts);
    const head = await this.#limited(slots.slice(0, this.#limit), attempts);
    return joined(head, await this.#limited(slots.slice(head.bits.length), attempts));
  }

  /** `failures` of these slots as a batch, which has been part of `attempts` runs. */
  async #attempt(slots: readonly number[], failures: number, attempts: number): Promise<BatchMasks> {
    if (this.#dead) throw this.#dead;
    const lane = this.#lanes.reduce((best, next) => (next.load < best.load ? next : best));
    const outcome = await lane.run(slots);
    if (outcome.type === 'masks') {
      this.#failures = 0;
      return outcome.masks;
    }
    if (this.#dead) throw this.#dead;
    if (outcome.type === 'unstarted') return this.#attempt(slots, failures, attempts);

    const tried = attempts + 1;
    this.#count(outcome.error);
    if (outcome.outOfMemory && slots.length > 1) {
      const batch = Math.ceil(slots.length / 2);
      if (batch < this.#limit) {
        this.#limit = batch;
        this.#onEvent({ type: 'batch-lowered', batch });
      }
      return this.#limited(slots, tried);
    }
    if (failures === 0) return this.#attempt(slots, 1, tried);
    if (slots.length === 1) return this.#quarantined(slots[0]!, outcome.error, tried);
    const half = Math.ceil(slots.length / 2);
    const head = await this.#attempt(slots.slice(0, half), 1, tried);
    return joined(head, await this.#attempt(slots.slice(half), 1, tried));
  }

  #quarantined(slot: number, cause: StromaflowError, attempts: number): BatchMasks {
    const error = new StromaflowError('ENGINE_FAILED', `this patch makes the engine fail: ${cause.message}`, { cause });
    this.#onEvent({ type: 'quarantined', slot, error });
    return {
      bits: [new Uint8Array()],
      counts: new Int32Array(1),
      seconds: 0,
      failed: new Map([[0, { error, attempts }]]),
    };
  }

  #count(error: StromaflowError): void {
    this.#failures++;
    this.#lastFailure = error;
    if (this.#failures <= this.#patience) return;
    if (!this.#dead) {
      const message = `the engine failed ${this.#failures} times in a row: ${error.message}`;
      this.#dead = new StromaflowError('ENGINE_FAILED', message, { cause: error });
      this.#onEvent({ type: 'gave-up', error: this.#dead });
    }
    throw this.#dead;
  }
}

function infoOf(threads: readonly EngineThread[], { crew, choice }: PoolOptions): EngineInfo {
  const facts = threads.map(thread => thread.facts);
  const { engine, batch } = crew.threads[0]!.backend;
  return {
    engine,
    name: facts[0]!.name,
    version: facts[0]!.version,
    device: [...new Set(facts.map(({ device }) => device))].join(', '),
    model: crew.model.name,
    modelVersion: crew.model.version,
    threshold: crew.model.threshold,
    batch,
    lanes: threads.length,
    loadSeconds: Math.max(...facts.map(({ loadSeconds }) => loadSeconds)),
    ...(choice !== undefined && { choice }),
  };
}

/** All threads of a crew, warm; none when one of them cannot start. */
async function startAll({ threads }: Crew, script: URL, signal?: AbortSignal): Promise<EngineThread[]> {
  const started = await Promise.allSettled(threads.map(data => EngineThread.start(script, data, signal)));
  const alive = started.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find(result => result.status === 'rejected');
  if (!failed) return alive;
  await Promise.all(alive.map(thread => thread.close()));
  throw failed.reason;
}

function joined(head: BatchMasks, tail: BatchMasks): BatchMasks {
  const counts = new Int32Array(head.counts.length + tail.counts.length);
  counts.set(head.counts);
  counts.set(tail.counts, head.counts.length);
  const failed = new Map(head.failed);
  for (const [place, patch] of tail.failed ?? []) failed.set(head.bits.length + place, patch);
  const bits = [...head.bits, ...tail.bits];
  const asked = head.probabilities ?? tail.probabilities;
  const of = (masks: BatchMasks) => masks.probabilities ?? masks.bits.map(() => new Uint8Array());
  const hasScores = head.scores ?? tail.scores;
  const scoresOf = (masks: BatchMasks) => masks.scores ?? masks.bits.map(() => new Float32Array());
  return {
    bits,
    counts,
    seconds: head.seconds + tail.seconds,
    ...(failed.size > 0 && { failed }),
    ...(asked && { probabilities: [...of(head), ...of(tail)] }),
    ...(hasScores && { scores: [...scoresOf(head), ...scoresOf(tail)] }),
  };
}

/** A run cannot be stopped; an aborted call's masks are thrown away when they come. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: settled.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    settled.abort();
    work.catch(() => {});
  }
}
