import { SHARE_ENV, Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { Graph } from '../model/graph/graph.js';
import type {
  PseudoLabelled,
  StepResult,
  TrainBatch,
  Trainer,
  TrainerOptions,
  TrainNetwork,
  TrainRecipe,
  TrainState,
} from './port.js';
import type { TrainerCall, TrainerData, TrainerReply } from './trainer-messages.js';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * A trainer in a thread of its own, to the same numbers: onnxruntime computes a step on the thread that asks for it, and for those seconds nobody
 * else there is answered, neither a browser nor Ctrl-C. Throws what createTrainer throws.
 */
export async function createThreadTrainer(
  { graph, input, source }: TrainNetwork,
  recipe: TrainRecipe,
  { engine, signal }: TrainerOptions,
): Promise<Trainer> {
  signal?.throwIfAborted();
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const name of tensorsOf(graph)) weights.set(name, (await source.read(name)).slice());
  return ThreadTrainer.start({ graph, input, weights, recipe, engine });
}

/** Parameters, and statistics that group norms are frozen by. */
function tensorsOf({ parameters, nodes }: Graph): Set<string> {
  const frozen = nodes.flatMap(node =>
    node.op === 'conv' && node.batchNorm?.groups !== undefined ? [node.batchNorm.name] : [],
  );
  return new Set([...parameters.keys(), ...frozen.flatMap(name => [`${name}.running_mean`, `${name}.running_var`])]);
}

class ThreadTrainer implements Trainer {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #gone: StromaflowError | undefined;

  static async start(data: TrainerData): Promise<ThreadTrainer> {
    const buffers = [...data.weights.values()].map(({ buffer }) => buffer);
    // Native libraries read the process's environment.
    const worker = new Worker(new URL('./trainer.worker.js', import.meta.url), {
      ...{ workerData: data, transferList: buffers, name: 'trainer' },
      env: SHARE_ENV,
    });
    const trainer = new ThreadTrainer(worker);
    try {
      await new Promise((resolve, reject) => trainer.#waiting.set(0, { resolve, reject }));
      return trainer;
    } catch (error) {
      await trainer.#worker.terminate();
      throw error;
    }
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', ({ id, value, error }: TrainerReply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(fromWire(error));
      else waiting?.resolve(value);
    });
    worker.on('error', cause => this.#end(new StromaflowError('ENGINE_FAILED', 'the trainer crashed', { cause })));
    this.#exited = new Promise(resolve => {
      worker.on('exit', () => {
        this.#end(new StromaflowError('ENGINE_FAILED', "the trainer's thread ended"));
        resolve();
      });
    });
  }

  step(batches: readonly TrainBatch[], rate: number, pseudo?: PseudoLabelled): Promise<StepResult> {
    return this.#call('step', [batches, rate, pseudo]) as Promise<StepResult>;
  }

  evaluate(batch: TrainBatch): ReturnType<Trainer['evaluate']> {
    return this.#call('evaluate', [batch]) as ReturnType<Trainer['evaluate']>;
  }

  teach(batch: TrainBatch): Promise<Float32Array> {
    return this.#call('teach', [batch]) as Promise<Float32Array>;
  }

  save(): Promise<TrainState> {
    return this.#call('save', []) as Promise<TrainState>;
  }

  async restore(state: TrainState): Promise<void> {
    await this.#call('restore', [state]);
  }

  async close(): Promise<void> {
    if (!this.#gone) await this.#call('close', []);
    await this.#exited;
  }

  #call<Name extends keyof Trainer>(name: Name, args: Parameters<Trainer[Name]>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#gone) {
        reject(this.#gone);
        return;
      }
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, name, args } as TrainerCall);
    });
  }

  #end(error: StromaflowError): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}
