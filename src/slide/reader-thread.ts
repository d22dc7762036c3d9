import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { ReadOutcome } from './patch-reader.js';
import {
  type CloseRequest,
  fromReply,
  isRead,
  type OpenRequest,
  type ReaderData,
  type ReaderReply,
  type ReaderRequest,
  type ReadReply,
} from './reader-messages.js';

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
  readonly #open = new Map<number, Omit<OpenRequest, 'id'>>();
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #nextId = 1;
  #closed = false;
  /** Threads that ended in a row without an answer. */
  #failures = 0;
  /** Reads under way. */
  load = 0;

  constructor(data: ReaderData, onFree: () => void) {
    this.#data = data;
    this.#onFree = onFree;
    this.#worker = this.#start();
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

  async read(slide: number, col: number, row: number, slot: number): Promise<ReadOutcome> {
    this.load++;
    try {
      return (await this.#send(id => [id, slide, col, row, slot])) as ReadOutcome;
    } finally {
      this.load--;
      this.#onFree();
    }
  }

  async close(slide: number): Promise<void> {
    if (this.#open.delete(slide)) await this.#send(id => ({ op: 'close', id, slide }) satisfies CloseRequest);
  }

  async end(): Promise<void> {
    this.#closed = true;
    await this.#worker.terminate();
  }

  #send(request: (id: number) => ReaderRequest): Promise<ReadOutcome | undefined> {
    if (this.#closed) return Promise.reject(new StromaflowError('SLIDE_UNREADABLE', 'the reader thread has ended'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage(request(id));
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./reader.worker.js', import.meta.url), { workerData: this.#data });
    let cause: unknown;
    worker.on('message', (reply: ReaderReply) => this.#receive(reply));
    worker.on('error', error => {
      cause = error;
    });
    worker.on('exit', code => {
      const ended = new StromaflowError('SLIDE_UNREADABLE', `a reader thread ended (status ${code})`, { cause });
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      if (this.#closed || ++this.#failures > MAX_FAILURES) this.#closed = true;
      else this.#restart();
      for (const { reject } of waiting) reject(ended);
    });
    return worker;
  }

  #receive(reply: ReaderReply): void {
    this.#failures = 0;
    const read = isRead<ReadReply>(reply);
    const id = read ? reply[0] : reply.id;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (read) waiting?.resolve(fromReply(reply));
    else if (reply.error) waiting?.reject(fromWire(reply.error));
    else waiting?.resolve(undefined);
  }

  #restart(): void {
    this.#worker = this.#start();
    // A slide that cannot be opened again rejects its reads in the new thread.
    for (const request of this.#open.values()) this.#send(id => ({ ...request, id })).catch(() => undefined);
  }
}
