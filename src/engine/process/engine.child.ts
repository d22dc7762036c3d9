import { toWire } from '../../errors.js';
import { readAt, writeAt } from '../../process/shared-file.js';
import type { BackendOptions, EngineBackend } from '../backend.js';
import { createBackend } from '../backends.js';
import { exchangeLayout } from './exchange.js';
import { EXCHANGE_FD, type ProcessReply, type ProcessRequest } from './protocol.js';

/**
 * The engine's process: reads a batch's pixels from the exchange into memory of its own, runs the model, writes the masks
 * back. One request at a time; it ends with its parent.
 */

// An interrupt goes to all processes of a terminal; the parent still needs the batch that is under way.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());

type Handler = (request: ProcessRequest) => Promise<ProcessReply>;

async function start(options: BackendOptions): Promise<readonly [ProcessReply, Handler]> {
  const backend = await createBackend({ ...options, isolation: 'thread' });
  const layout = exchangeLayout(options);
  const patchBytes = options.patchSize * options.patchSize * 3;
  const input = new Uint8Array(options.batch * patchBytes);
  const patches = Array.from({ length: options.batch }, (_, i) => input.subarray(i * patchBytes, (i + 1) * patchBytes));

  const run = async (count: number): Promise<ProcessReply> => {
    readAt(EXCHANGE_FD, input.subarray(0, count * patchBytes), 0);
    const { mask, counts, notFinite, probabilities, scores } = await backend.run(patches.slice(0, count));
    writeAt(EXCHANGE_FD, mask, layout.masksAt);
    if (probabilities) writeAt(EXCHANGE_FD, probabilities, layout.probabilitiesAt);
    if (scores) writeAt(EXCHANGE_FD, bytesOf(scores), layout.scoresAt);
    return { type: 'ran', counts, notFinite, probabilities: probabilities !== undefined };
  };
  const { name, version, device } = backend;
  return [{ type: 'ready', name, version, device }, request => handle(request, backend, run)];
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

async function handle(
  request: ProcessRequest,
  backend: EngineBackend,
  run: (count: number) => Promise<ProcessReply>,
): Promise<ProcessReply> {
  switch (request.type) {
    case 'run':
      return run(request.count);
    case 'evaluate':
      return { type: 'layers', layers: await backend.evaluate(request.pixels, request.height, request.width) };
    default:
      await backend.close();
      return { type: 'closed' };
  }
}

let handler: Handler | undefined;

async function answer(request: ProcessRequest): Promise<ProcessReply> {
  if (handler) return handler(request);
  if (request.type !== 'start') throw new RangeError(`${request.type} before the start`);
  const [ready, started] = await start(request.options);
  handler = started;
  return ready;
}

process.on('message', (request: ProcessRequest) => {
  const code = handler ? 'ENGINE_FAILED' : 'ENGINE_UNAVAILABLE';
  answer(request)
    .catch((error: unknown): ProcessReply => ({ type: 'failed', error: toWire(error, code) }))
    .then(reply => process.send?.(reply));
});
