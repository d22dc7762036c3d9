import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fromWire, StromaflowError } from '../../errors.js';
import { askChild, ChildLost, endChild, type LostReason } from '../../process/ask-child.js';
import { readAt, writeAt } from '../../process/shared-file.js';
import type { BackendOptions, EngineBackend } from '../backend.js';
import { exchangeLayout, openExchange } from './exchange.js';
import type { ProcessReply, ProcessRequest } from './protocol.js';

const SCRIPT = new URL('./engine.child.js', import.meta.url);

/** A library that cannot tear itself down is not waited for longer. */
const CLOSE_SECONDS = 10;

/**
 * A backend in a process of its own: a native crash, a driver that hangs and the kernel's out-of-memory killer end that
 * process and are an ordinary failure here (docs/decisions/0008-engine-process.md). After a failure the process is gone.
 *
 * @throws what createBackend throws there; ENGINE_UNAVAILABLE when the process ends while it loads.
 */
export async function createProcessBackend(options: BackendOptions, script: URL = SCRIPT): Promise<EngineBackend> {
  const { batch, patchSize, runSeconds } = options;
  const layout = exchangeLayout(options);
  const fd = await openExchange(layout);
  const child = fork(script, {
    // What native libraries print must not get between the lines that a program reads.
    stdio: ['ignore', 2, 2, 'ipc', fd],
    serialization: 'advanced',
    execArgv: [],
  });
  const ask = asking(child);
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ending ??= endChild(child).finally(() => closeSync(fd));
    return ending;
  };
  /** What a failed run leaves behind in a native library is not to be trusted, and its memory is needed. */
  const orEnd = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      await end();
      throw error;
    }
  };

  const { name, version, device } = await orEnd(ask({ type: 'start', options }, 'ready', 'ENGINE_UNAVAILABLE'));
  const area = patchSize * patchSize;
  const masks = new Uint8Array(batch * area);
  const probabilities = options.probabilities ? new Uint8Array(batch * area) : undefined;
  const scores = options.scores ? new Uint8Array(batch * area * 4) : undefined;
  return {
    name,
    version,
    device,
    async run(patches) {
      const count = patches.length;
      patches.forEach((patch, i) => void writeAt(fd, patch, i * area * 3));
      const ran = await orEnd(ask({ type: 'run', count }, 'ran', 'ENGINE_FAILED', runSeconds));
      const { counts, notFinite } = ran;
      const mask = masks.subarray(0, count * area);
      readAt(fd, mask, layout.masksAt);
      const given = ran.probabilities ? probabilities?.subarray(0, count * area) : undefined;
      if (given) readAt(fd, given, layout.probabilitiesAt);
      const bytes = scores?.subarray(0, count * area * 4);
      if (bytes) readAt(fd, bytes, layout.scoresAt);
      const floats = bytes && new Float32Array(bytes.buffer, 0, count * area);
      return { mask, counts, notFinite, ...(given && { probabilities: given }), ...(floats && { scores: floats }) };
    },
    async evaluate(pixels, height, width) {
      const { layers } = await orEnd(ask({ type: 'evaluate', pixels, height, width }, 'layers', 'ENGINE_FAILED'));
      return layers;
    },
    async close() {
      if (!ending) await ask({ type: 'close' }, 'closed', 'ENGINE_FAILED', CLOSE_SECONDS).catch(() => undefined);
      await end();
    },
  };
}

type ReplyOf<T extends ProcessReply['type']> = Extract<ProcessReply, { type: T }>;
type FailureCode = 'ENGINE_UNAVAILABLE' | 'ENGINE_FAILED';

/** One request at a time; the answer that is wanted, or an error of the code. `seconds`: longest wait, 0 without end. */
function asking(child: ChildProcess) {
  return async <T extends ProcessReply['type']>(
    request: ProcessRequest,
    wanted: T,
    code: FailureCode,
    seconds = 0,
  ): Promise<ReplyOf<T>> => {
    const reply = await askChild<ProcessReply>(child, request, seconds > 0 ? { seconds } : {}).catch(lost(code));
    if (reply.type === wanted) return reply as ReplyOf<T>;
    throw reply.type === 'failed' ? fromWire(reply.error) : new StromaflowError(code, `unexpected ${reply.type}`);
  };
}

const FIXES: Readonly<Partial<Record<LostReason, string>>> = {
  killed: 'lower --batch',
  silent: 'raise --engine-timeout for a slow engine; else look at the driver',
};

const lost =
  (code: FailureCode) =>
  (error: unknown): never => {
    if (!(error instanceof ChildLost)) throw error;
    const fix = FIXES[error.reason];
    throw new StromaflowError(code, `the engine's process ${error.message}`, fix === undefined ? {} : { fix });
  };
