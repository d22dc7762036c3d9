import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { EngineReply, EngineRequest, EngineWorkerData } from './protocol.js';
import type { BatchMasks, EngineInfo, Segmenter } from './segmenter.js';

interface Pending {
  resolve(masks: BatchMasks): void;
  reject(error: unknown): void;
}

/** A segmenter whose model runs in one worker thread. When the thread dies, every call fails with ENGINE_FAILED. */
export class WorkerSegmenter implements Segmenter {
  readonly info: EngineInfo;
  readonly #worker: Worker;
  readonly #slots: number;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #next = 0;
  #dead: StromaflowError | undefined;

  /** Resolves when the model is loaded and warm. Rejects with what the thread says, or with the signal's reason. */
  static async start(
    data: EngineWorkerData & { readonly arena: object },
    model: { readonly name: string; readonly version: string },
    signal?: AbortSignal,
  ): Promise<WorkerSegmenter> {
    signal?.throwIfAborted();
    const worker = new Worker(new URL('./engine.worker.js', import.meta.url), { workerData: data, name: 'engine' });
    try {
      const ready = await firstReply(worker, signal);
      const { name, version, device, loadSeconds } = ready;
      const info = {
        name,
        version,
        device,
        model: model.name,
        modelVersion: model.version,
        batch: data.backend.batch,
        loadSeconds,
      };
      return new WorkerSegmenter(worker, info, data.arena.shape.slots);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  private constructor(worker: Worker, info: EngineInfo, slots: number) {
    this.#worker = worker;
    this.#slots = slots;
    this.info = info;
    this.#exited = new Promise(resolve => void worker.once('exit', () => resolve()));
    worker.on('message', (message: EngineReply) => this.#settle(message));
    worker.on('error', cause => this.#die('the engine crashed', cause));
    worker.on('exit', code => this.#die(`the engine's thread ended with ${code}`));
  }

  segment(slots: readonly number[], signal?: AbortSignal): Promise<BatchMasks> {
    if (slots.length === 0 || slots.length > this.info.batch)
      return Promise.reject(new RangeError(`${slots.length} patches in a batch of ${this.info.batch}`));
    const outside = slots.find(slot => !Number.isInteger(slot) || slot < 0 || slot >= this.#slots);
    if (outside !== undefined) return Promise.reject(new RangeError(`slot ${outside} of ${this.#slots}`));
    if (this.#dead) return Promise.reject(this.#dead);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // A run cannot be stopped; an aborted call's masks are thrown away when they come.
      const abort = () => {
        this.#pending.delete(id);
        reject(signal?.reason);
      };
      const done = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort, { once: true });
      this.#pending.set(id, {
        resolve: masks => {
          done();
          resolve(masks);
        },
        reject: error => {
          done();
          reject(error);
        },
      });
      this.#post({ type: 'segment', id, slots });
    });
  }

  /** Lets the running batch end, frees the model and waits for the thread; calls still open fail. */
  async close(): Promise<void> {
    this.#die('the engine is closed');
    this.#post({ type: 'close' });
    await this.#exited;
  }

  #post(request: EngineRequest): void {
    this.#worker.postMessage(request);
  }

  #settle(message: EngineReply): void {
    if (message.type !== 'masks' && message.type !== 'failed') return;
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.type === 'failed') pending?.reject(fromWire(message.error));
    else pending?.resolve({ bits: message.bits, counts: message.counts, seconds: message.seconds });
  }

  #die(message: string, cause?: unknown): void {
    this.#dead ??= new StromaflowError('ENGINE_FAILED', message, { cause });
    for (const { reject } of this.#pending.values()) reject(this.#dead);
    this.#pending.clear();
  }
}

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
