import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { TileJob, TileReply, TileRequest, TileSlide } from './tile-messages.js';

/** Jobs that may wait; whoever comes then is told to come again. */
const MOST_WAITING = 512;
/** A file on a share that does not answer is not waited for longer at the end. */
const END_MS = 5000;

/** What is small and late at once goes first. */
const ORDER: readonly TileJob['op'][] = ['thumbnails', 'mask', 'picture'];

interface Waiting {
  readonly slide: number;
  readonly job: TileJob;
  /** Nobody waits for it any more. */
  readonly signal: AbortSignal | undefined;
  resolve(bytes: Uint8Array): void;
  reject(error: unknown): void;
}

/** The main thread's end of the tile thread (tile.worker.ts), which is started when the first tile is asked for. */
export class TileThread {
  #worker: Worker | undefined;
  readonly #slides = new Map<number, TileSlide>();
  readonly #waiting: Waiting[] = [];
  #running: Waiting | undefined;
  #nextSlide = 1;
  #closed = false;

  /** Makes a slide known; its number is for `make` and `forget`. */
  open(about: TileSlide): number {
    const slide = this.#nextSlide++;
    this.#slides.set(slide, about);
    this.#worker?.postMessage({ op: 'open', slide, about } satisfies TileRequest);
    return slide;
  }

  forget(slide: number): void {
    if (this.#slides.delete(slide)) this.#worker?.postMessage({ op: 'forget', slide } satisfies TileRequest);
  }

  /**
   * @returns a JPEG (picture), a PNG (mask) or packed bits.
   * @throws the slide's own errors; SLIDE_UNREADABLE when too many wait; the signal's reason.
   */
  make(slide: number, job: TileJob, signal?: AbortSignal): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new StromaflowError('SLIDE_UNREADABLE', 'tiles are made no more'));
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(new TooManyTiles());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ slide, job, signal, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new StromaflowError('INTERRUPTED', 'closing'));
    const worker = this.#worker;
    if (!worker) return;
    worker.ref();
    const ended = new Promise<void>(resolve => void worker.once('exit', () => resolve()));
    worker.postMessage({ op: 'end' } satisfies TileRequest);
    const patience = setTimeout(() => void worker.terminate(), END_MS);
    await ended;
    clearTimeout(patience);
  }

  #next(): void {
    if (this.#running) return;
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const { signal, reject } = this.#waiting[at]!;
      if (!signal?.aborted) continue;
      reject(signal.reason);
      this.#waiting.splice(at, 1);
    }
    const [first] = this.#waiting.toSorted((a, b) => ORDER.indexOf(a.job.op) - ORDER.indexOf(b.job.op));
    if (!first) return;
    this.#waiting.splice(this.#waiting.indexOf(first), 1);
    this.#running = first;
    this.#worker ??= this.#start();
    this.#worker.postMessage({ ...first.job, slide: first.slide } satisfies TileRequest);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./tile.worker.js', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    worker.unref();
    for (const [slide, about] of this.#slides) worker.postMessage({ op: 'open', slide, about } satisfies TileRequest);
    worker.on('message', (reply: TileReply) => {
      const { resolve, reject } = this.#running!;
      this.#running = undefined;
      if ('error' in reply) reject(fromWire(reply.error));
      else resolve(reply.bytes);
      this.#next();
    });
    let cause: unknown;
    worker.on('error', error => {
      cause = error;
    });
    worker.on('exit', () => {
      this.#worker = undefined;
      const running = this.#running;
      this.#running = undefined;
      running?.reject(new StromaflowError('SLIDE_UNREADABLE', 'the tile thread ended', { cause }));
      if (!this.#closed) this.#next();
    });
    return worker;
  }
}

/** More wait for tiles than can be served soon. */
export class TooManyTiles extends Error {
  override readonly name = 'TooManyTiles';
}
