import { parentPort, workerData } from 'node:worker_threads';
import { StromaflowError, toWire } from '../errors.js';
import type { Trainer } from './port.js';
import { createTrainer } from './trainer.js';
import type { TrainerCall, TrainerData, TrainerReply } from './trainer-messages.js';

/** A trainer's thread: one call after the other. */

const { graph, input, weights, recipe, engine } = workerData as TrainerData;
const port = parentPort!;

async function read(name: string): Promise<Float32Array<ArrayBuffer>> {
  const values = weights.get(name);
  if (!values) throw new StromaflowError('INTERNAL', `the trainer's thread was not given ${name}`);
  return values;
}

/** What is given away is not kept here: states and probabilities are copies. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (value instanceof Float32Array) return [value.buffer as ArrayBuffer];
  if (typeof value !== 'object' || value === null) return [];
  if ('tensors' in value && value.tensors instanceof Map)
    return [...value.tensors.values()].map(({ values }: { values: Float32Array<ArrayBuffer> }) => values.buffer);
  return 'probabilities' in value ? buffersOf(value.probabilities) : [];
}

async function reply(id: number, run: () => Promise<unknown>): Promise<void> {
  try {
    const value = await run();
    port.postMessage({ id, value } satisfies TrainerReply, [...new Set(buffersOf(value))]);
  } catch (error) {
    port.postMessage({ id, error: toWire(error, 'ENGINE_FAILED') } satisfies TrainerReply);
  }
}

let trainer: Trainer | undefined;
let last = reply(0, async () => {
  trainer = await createTrainer({ graph, input, source: { read } }, recipe, { engine });
});
port.on('message', ({ id, name, args }: TrainerCall) => {
  last = last.then(async () => {
    const call = trainer![name] as (...given: readonly unknown[]) => Promise<unknown>;
    await reply(id, () => call.apply(trainer, args));
    if (name === 'close') port.close();
  });
});
