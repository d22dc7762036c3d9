import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { SampleData, SampleJob, SampleReply, SampleRequest } from './sample-messages.js';
import { slotOf } from './sample-messages.js';
import type { PatchFacts, SampleSetting } from './sample-reader.js';

export interface SampleThreadsOptions {
  readonly threads: number;
  readonly setting: SampleSetting;
  /** Side of a sample in pixels, and how many are held at a time. */
  readonly side: number;
  readonly slots: number;
}

interface Waiting extends SampleJob {
  resolve(facts: PatchFacts | undefined): void;
  reject(error: Error): void;
}

/** Jobs a thread has at a time: one in work, one waiting. */
const DEPTH = 2;
/** A file on a share that does not answer is not waited for longer when its thread is to end. */
const END_MS = 10_000;

/** Threads that read, change and look at patches. Pixels go into slots of shared memory; only numbers travel. */
export class SampleThreads {
  readonly #threads: Thread[];
  readonly #queue: Waiting[] = [];
  readonly #data: SampleData;

  constructor({ threads, setting, side, slots }: SampleThreadsOptions) {
    const each = { ...setting, cacheBytes: Math.floor(setting.cacheBytes / threads) };
    this.#data = { setting: each, side, shared: new SharedArrayBuffer(slots * side * side * 4) };
    this.#threads = Array.from({ length: threads }, () => new Thread(this.#data, () => this.#dispatch()));
  }

  /** The pixels of a slot; views, valid until it is read into again. */
  slot(index: number): { image: Uint8Array; labels: Uint8Array } {
    return slotOf(this.#data.shared, this.#data.side, index);
  }

  /** What is known of a patch. Rejects with what SampleReader.look throws. */
  look(job: Omit<SampleJob, 'slot' | 'change'>): Promise<PatchFacts> {
    return this.#add(job) as Promise<PatchFacts>;
  }

  /** Reads a patch into a slot, which belongs to the thread until the promise settles. Rejects with what SampleReader.read throws. */
  async read(job: SampleJob & { readonly slot: number }): Promise<void> {
    await this.#add(job);
  }

  /** Lets the threads finish what they have; jobs that wait are rejected. */
  async close(): Promise<void> {
    for (const { reject } of this.#queue.splice(0)) reject(ended());
    await Promise.all(this.#threads.map(thread => thread.end()));
  }

  #add(job: SampleJob): Promise<PatchFacts | undefined> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...job, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const free = this.#threads.filter(({ load }) => load < DEPTH);
      if (free.length === 0) return;
      const job = this.#queue.shift()!;
      const { item } = job.sample;
      // A thread that has the item open reads it at once; else the one with the least to do.
      const knows = free.find(thread => thread.last === item);
      (knows ?? free.reduce((a, b) => (b.load < a.load ? b : a))).start(job);
    }
  }
}

class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #ended = false;
  /** Item of the job it was given last. */
  last = -1;

  constructor(data: SampleData, onFree: () => void) {
    this.#worker = new Worker(new URL('./sample.worker.js', import.meta.url), { workerData: data });
    let cause: unknown;
    this.#worker.on('message', ({ id, facts, error }: SampleReply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(fromWire(error));
      else waiting?.resolve(facts);
      onFree();
    });
    this.#worker.on('error', error => {
      cause = error;
    });
    this.#exited = new Promise(resolve => {
      this.#worker.on('exit', () => {
        this.#ended = true;
        for (const { reject } of this.#waiting.values()) reject(ended(cause));
        this.#waiting.clear();
        onFree();
        resolve();
      });
    });
  }

  get load(): number {
    return this.#waiting.size;
  }

  start(job: Waiting): void {
    if (this.#ended) {
      job.reject(ended());
      return;
    }
    const id = this.#nextId++;
    const { sample, col, row, slot, change } = job;
    this.#waiting.set(id, job);
    this.last = sample.item;
    const request = { id, sample, col, row, ...(slot !== undefined && { slot }), ...(change && { change }) };
    this.#worker.postMessage(request satisfies SampleRequest);
  }

  async end(): Promise<void> {
    this.#worker.postMessage('end' satisfies SampleRequest);
    const patience = setTimeout(() => void this.#worker.terminate(), END_MS);
    await this.#exited;
    clearTimeout(patience);
  }
}

const ended = (cause?: unknown): StromaflowError =>
  new StromaflowError('SLIDE_UNREADABLE', 'a thread that reads patches ended', cause === undefined ? {} : { cause });
