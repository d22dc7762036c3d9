import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { ReadOutcome } from './patch-reader.js';
import type { OpenRequest, ReaderData, ReaderReply, ReaderRequest } from './reader-messages.js';

type Body<T> = T extends unknown ? Omit<T, 'id'> : never;

/** A thread that never answers is not started for ever. */
const MAX_FAILURES = 3;

interface Waiting {
  resolve(outcome: ReadOutcome | undefined): void;
  reject(error: Error): void;
}

/** The main thread's end of one reader thread. A thread that dies is replaced; what it was doing is rejected. */
export class ReaderThread {
  readonly #data: ReaderData;
  readonly #onFree: () => void;
  readonly #open = new Map<number, Body<OpenRequest>>();
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #nextId = 1;
  #closing = false;
  /** Threads that ended in a row without an answer. */
  #failures = 0;
  /** Reads under way. */
  load = 0;

  constructor(data: ReaderData, onFree: () => void) {
    this.#data = data;
    this.#onFree = onFree;
    this.#worker = this.#start();
  }

  async open(request: Body<OpenRequest>): Promise<void> {
    this.#open.set(request.slide, request);
    try {
      await this.#send(request);
    } catch (error) {
      this.#open.delete(request.slide);
      throw error;
    }
  }

  async read(slide: number, col: number, row: number, slot: number): Promise<ReadOutcome> {
    this.load++;
    try {
      return (await this.#send({ op: 'read', slide, col, row, slot })) as ReadOutcome;
    } finally {
      this.load--;
      this.#onFree();
    }
  }

  async close(slide: number): Promise<void> {
    if (this.#open.delete(slide)) await this.#send({ op: 'close', slide });
  }

  async end(): Promise<void> {
    this.#closing = true;
    await this.#worker.terminate();
  }

  #send(request: Body<ReaderRequest>): Promise<ReadOutcome | undefined> {
    if (this.#closing) return Promise.reject(new StromaflowError('SLIDE_UNREADABLE', 'the reader threads are closed'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./reader.worker.js', import.meta.url), { workerData: this.#data });
    let cause: unknown;
    worker.on('message', ({ id, outcome, error }: ReaderReply) => {
      this.#failures = 0;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(fromWire(error));
      else waiting?.resolve(outcome);
    });
    worker.on('error', error => {
      cause = error;
    });
    worker.on('exit', code => {
      const ended = new StromaflowError('SLIDE_UNREADABLE', `a reader thread ended (status ${code})`, { cause });
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      if (!this.#closing && ++this.#failures <= MAX_FAILURES) this.#restart();
      else this.#closing = true;
      for (const { reject } of waiting) reject(ended);
    });
    return worker;
  }

  #restart(): void {
    this.#worker = this.#start();
    // A slide that cannot be opened again rejects its next read in the thread.
    for (const request of this.#open.values()) this.#send(request).catch(() => undefined);
  }
}
