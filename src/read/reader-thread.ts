import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { PatchRef } from './patch.js';
import type { ReadOutcome } from './patch-reader.js';
import type { OpenRequest, ReaderData, ReaderReplies, ReaderReply, ReaderRequest } from './reader-messages.js';

/** A file on a share that does not answer is not waited for longer when its thread is to end. */
const END_MS = 10_000;

/** A thread that never answers is not started for ever. */
const MAX_FAILURES = 3;

/** Reads a message carries, when they are quick; a slow one should not wait for another. */
const QUICK = { reads: 4, seconds: 0.005 } as const;

/** A read of one patch, and who waits for it. */
export interface ReaderJob {
  readonly slide: number;
  readonly ref: PatchRef;
  readonly slot: number;
  resolve(outcome: ReadOutcome): void;
  reject(reason: unknown): void;
}

interface Waiting {
  resolve(outcome: ReadOutcome | undefined): void;
  reject(error: Error): void;
}

/** The main thread's end of one reader thread. A thread that dies is replaced; what it was doing is rejected. */
export class ReaderThread {
  readonly #data: ReaderData;
  readonly #onFree: () => void;
  readonly #open = new Map<number, Omit<OpenRequest, 'id'>>();
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  /** Of the worker of now. */
  #ended: Promise<void> = Promise.resolve();
  #nextId = 1;
  #load = 0;
  #lastSeconds = 0;
  #closed = false;
  /** Threads that ended in a row without an answer. */
  #failures = 0;

  /** @param onFree called when reads have ended. */
  constructor(data: ReaderData, onFree: () => void) {
    this.#data = data;
    this.#onFree = onFree;
    this.#worker = this.#start();
  }

  /** Reads under way. */
  get load(): number {
    return this.#load;
  }

  /** Reads that one message should carry. */
  get chunk(): number {
    return this.#lastSeconds < QUICK.seconds ? QUICK.reads : 1;
  }

  async open(request: Omit<OpenRequest, 'id'>): Promise<void> {
    this.#open.set(request.slide, request);
    try {
      await this.#send(id => ({ ...request, id }));
    } catch (error) {
      this.#open.delete(request.slide);
      throw error;
    }
  }

  /** Closes and opens a slide, between two reads. */
  async reopen(request: Omit<OpenRequest, 'id'>): Promise<void> {
    const closing = this.close(request.slide);
    await Promise.all([closing, this.open(request)]);
  }

  /** Starts reads, with one message. */
  read(jobs: readonly ReaderJob[]): void {
    this.#load += jobs.length;
    this.#post(
      jobs.map(({ slide, ref, slot, resolve, reject }) => {
        const id = this.#expect(outcome => resolve(outcome as ReadOutcome), reject);
        return [id, slide, ref.col, ref.row, slot] as const;
      }),
    );
  }

  async close(slide: number): Promise<void> {
    if (this.#open.delete(slide) && !this.#closed) await this.#send(id => ({ op: 'close', id, slide }));
  }

  /**
   * Lets it finish what it has and waits for its end. A thread that is stopped inside libjpeg-turbo's binding takes the whole
   * process with it: the binding cannot tell a thread that no longer listens of its failure.
   */
  async end(): Promise<void> {
    this.#closed = true;
    this.#worker.postMessage({ op: 'end' } satisfies ReaderRequest);
    const patience = setTimeout(() => void this.#worker.terminate(), END_MS);
    await this.#ended;
    clearTimeout(patience);
  }

  #send(request: (id: number) => ReaderRequest): Promise<ReadOutcome | undefined> {
    return new Promise((resolve, reject) => this.#post(request(this.#expect(resolve, reject))));
  }

  /** Number for a request that is about to be posted. */
  #expect(resolve: Waiting['resolve'], reject: Waiting['reject']): number {
    const id = this.#nextId++;
    this.#waiting.set(id, { resolve, reject });
    return id;
  }

  #post(request: ReaderRequest): void {
    if (this.#closed) this.#rejectAll(new StromaflowError('SLIDE_UNREADABLE', 'the reader thread has ended'));
    else this.#worker.postMessage(request);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./reader.worker.js', import.meta.url), {
      workerData: this.#data,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    this.#ended = new Promise(resolve => void worker.once('exit', () => resolve()));
    let cause: unknown;
    worker.on('message', (replies: ReaderReplies) => {
      this.#failures = 0;
      for (const reply of replies) this.#receive(reply);
      this.#onFree();
    });
    worker.on('error', error => {
      cause = error;
    });
    worker.on('exit', code => {
      const ended = new StromaflowError('SLIDE_UNREADABLE', `a reader thread ended (status ${code})`, { cause });
      this.#rejectAll(ended);
      if (this.#closed || ++this.#failures > MAX_FAILURES) this.#closed = true;
      else this.#restart();
      this.#onFree();
    });
    return worker;
  }

  #receive(reply: ReaderReply): void {
    const { id } = reply;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (reply.read) this.#load--;
    if (reply.error) waiting?.reject(fromWire(reply.error));
    else if (reply.outcome) {
      this.#lastSeconds = reply.outcome.seconds;
      waiting?.resolve(reply.outcome);
    } else waiting?.resolve(undefined);
  }

  #rejectAll(error: StromaflowError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#load = 0;
    for (const { reject } of waiting) reject(error);
  }

  #restart(): void {
    this.#worker = this.#start();
    // A slide that cannot be opened again rejects its reads in the new thread.
    for (const request of this.#open.values()) this.#send(id => ({ ...request, id })).catch(() => undefined);
  }
}
