import { SHARE_ENV, Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import { withoutNotFinite } from './not-finite.js';
import { isOutOfMemory } from './out-of-memory.js';
import type { EngineReply, EngineRequest, EngineWorkerData } from './protocol.js';
import type { BatchMasks } from './segmenter.js';

/** How a batch ended. */
export type Outcome =
  | { readonly type: 'masks'; readonly masks: BatchMasks }
  /** The engine, or its whole thread, did not survive this batch. */
  | { readonly type: 'failed'; readonly error: StromaflowError; readonly outOfMemory: boolean }
  /** The thread went before it took this batch up. */
  | { readonly type: 'unstarted' };

/** One life of an engine's thread: started with the model loaded and warm, gone after its first failure. */
export class EngineThread {
  readonly facts: {
    readonly name: string;
    readonly version: string;
    readonly device: string;
    readonly loadSeconds: number;
  };
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  /** Open batches in the order they were posted; the thread works on the first. */
  readonly #open = new Map<number, (outcome: Outcome) => void>();
  #next = 0;
  #gone = false;

  /** Rejects with what the thread says is wrong (ENGINE_UNAVAILABLE, MODEL_…), or with the signal's reason. */
  static async start(script: URL, data: EngineWorkerData, signal?: AbortSignal): Promise<EngineThread> {
    signal?.throwIfAborted();
    // Native libraries read the process's environment; with a copy, what an engine sets would not reach them.
    const worker = new Worker(script, { workerData: data, name: 'engine', env: SHARE_ENV });
    try {
      const ready = await firstReply(worker, signal);
      return new EngineThread(worker, ready);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  private constructor(worker: Worker, { name, version, device, loadSeconds }: Ready) {
    this.facts = { name, version, device, loadSeconds };
    this.#worker = worker;
    this.#exited = new Promise(resolve => void worker.once('exit', () => resolve()));
    worker.on('message', (message: EngineReply) => this.#settle(message));
    worker.on('error', cause => this.#fail(new StromaflowError('ENGINE_FAILED', 'the engine crashed', { cause })));
    worker.on('exit', code =>
      this.#fail(new StromaflowError('ENGINE_FAILED', `the engine's thread ended with ${code}`)),
    );
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Batches posted and not yet answered. */
  get load(): number {
    return this.#open.size;
  }

  /** Segments the patches in these slots. Never rejects. */
  run(slots: readonly number[]): Promise<Outcome> {
    if (this.#gone) return Promise.resolve({ type: 'unstarted' });
    const id = this.#next++;
    return new Promise(resolve => {
      this.#open.set(id, resolve);
      this.#post({ type: 'segment', id, slots });
    });
  }

  /** Lets the running batch end, frees the model and waits for the thread. Batches still open end as unstarted. */
  async close(): Promise<void> {
    this.#abandon();
    this.#post({ type: 'close' });
    const patience = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    await this.#exited;
    clearTimeout(patience);
  }

  #post(request: EngineRequest): void {
    this.#worker.postMessage(request);
  }

  #settle(message: EngineReply): void {
    if (message.type === 'failed') this.#fail(fromWire(message.error));
    if (message.type !== 'masks') return;
    const { id, type, notFinite, ...masks } = message;
    const resolve = this.#open.get(id);
    this.#open.delete(id);
    resolve?.({ type, masks: withoutNotFinite(masks, notFinite) });
  }

  /** What a failed run leaves behind in a native library is not to be trusted: the thread goes with it. */
  #fail(error: StromaflowError): void {
    const [first] = this.#open;
    if (!this.#gone && first) {
      this.#open.delete(first[0]);
      first[1]({ type: 'failed', error, outOfMemory: isOutOfMemory(error) });
    }
    this.#abandon();
    void this.#worker.terminate();
  }

  #abandon(): void {
    this.#gone = true;
    for (const resolve of this.#open.values()) resolve({ type: 'unstarted' });
    this.#open.clear();
  }
}

/** A batch of the slowest engine ends within this; a library that cannot tear itself down is not waited for longer. */
const CLOSE_MS = 120_000;

type Ready = Extract<EngineReply, { type: 'ready' }>;

function firstReply(worker: Worker, signal?: AbortSignal): Promise<Ready> {
  const settled = new AbortController();
  const reply = new Promise<Ready>((resolve, reject) => {
    const unavailable = (message: string, cause?: unknown) =>
      reject(new StromaflowError('ENGINE_UNAVAILABLE', message, { cause }));
    const onMessage = (message: EngineReply) => {
      if (message.type === 'ready') resolve(message);
      else if (message.type === 'unusable') reject(fromWire(message.error));
    };
    const onError = (cause: unknown) => unavailable('the engine crashed while it was loading', cause);
    const onExit = (code: number) => unavailable(`the engine's thread ended with ${code} while it was loading`);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal?.addEventListener('abort', () => reject(signal.reason), { signal: settled.signal });
    settled.signal.addEventListener('abort', () => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    });
  });
  return reply.finally(() => settled.abort());
}
