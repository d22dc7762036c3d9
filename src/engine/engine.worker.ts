import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../arena.js';
import { toWire } from '../errors.js';
import type { EngineBackend } from './backend.js';
import { createBackend } from './backends.js';
import { packMask } from './pack-mask.js';
import type { EngineReply, EngineRequest, EngineWorkerData } from './protocol.js';

/**
 * The engine's thread: gives the patches of a batch, as they lie in shared memory, to the engine, packs its masks, and hands
 * them over without copying. One batch after the other.
 */
const port = parentPort!;
const { arena: memory, backend: options } = workerData as EngineWorkerData;

const reply = (message: EngineReply, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

async function start(): Promise<void> {
  const startedAt = performance.now();
  const backend = await createBackend(options);
  const segment = memory ? await warmSegment(backend, new Arena(memory.shape, memory.shared)) : undefined;
  let queue = Promise.resolve();
  port.on('message', (request: EngineRequest) => {
    queue = queue.then(async () => {
      if (request.type === 'segment') await segment?.(request.id, request.slots);
      else if (request.type === 'evaluate') await evaluate(backend, request.pixels, request.height, request.width);
      else await backend.close().finally(() => port.close());
    });
  });
  const { name, version, device } = backend;
  reply({ type: 'ready', name, version, device, loadSeconds: (performance.now() - startedAt) / 1000 });
}

/** Runs one patch, so that the first batch is not the slow one, and gives what segments a batch. */
async function warmSegment(backend: EngineBackend, arena: Arena) {
  const area = options.patchSize * options.patchSize;
  // Of the arena, whatever it holds: code that is compiled for memory of another kind is compiled again.
  await backend.run([arena.slot(0)]);
  return async (id: number, slots: readonly number[]): Promise<void> => {
    try {
      const startedAt = performance.now();
      const { mask, counts, notFinite, ...more } = await backend.run(slots.map(slot => arena.slot(slot)));
      const seconds = (performance.now() - startedAt) / 1000;
      const bits = slots.map((_, i) => packMask(mask.subarray(i * area, (i + 1) * area)));
      const each = <T extends Uint8Array | Float32Array>(all: T) =>
        slots.map((_, i) => all.slice(i * area, (i + 1) * area) as T & { readonly buffer: ArrayBuffer });
      const probabilities = more.probabilities && each(more.probabilities as Uint8Array<ArrayBuffer>);
      const scores = more.scores && each(more.scores as Float32Array<ArrayBuffer>);
      const buffers = [...bits, ...(probabilities ?? []), ...(scores ?? [])].map(({ buffer }) => buffer);
      reply(
        {
          type: 'masks',
          id,
          bits,
          counts: counts.slice(),
          notFinite,
          seconds,
          ...(probabilities && { probabilities }),
          ...(scores && { scores }),
        },
        buffers,
      );
    } catch (error) {
      reply({ type: 'failed', id, error: toWire(error, 'ENGINE_FAILED') });
    }
  };
}

async function evaluate(backend: EngineBackend, pixels: Uint8Array<ArrayBuffer>, height: number, width: number) {
  try {
    const startedAt = performance.now();
    const layers = await backend.evaluate(pixels, height, width);
    reply({ type: 'layers', layers, seconds: (performance.now() - startedAt) / 1000 });
  } catch (error) {
    reply({ type: 'unusable', error: toWire(error, 'ENGINE_FAILED') });
  }
}

start().catch(error => {
  reply({ type: 'unusable', error: toWire(error, 'ENGINE_UNAVAILABLE') });
  port.close();
});
