import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { fromWire, StromaflowError } from '../../errors.js';
import type { BackendOptions, EngineBackend } from '../backend.js';
import { exchangeLayout, openExchange, readAt, writeAt } from './exchange.js';
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
  const ask = askChild(child);
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ending ??= kill(child).finally(() => closeSync(fd));
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
      if (!ran.probabilities || !probabilities) return { mask, counts, notFinite };
      const given = probabilities.subarray(0, count * area);
      readAt(fd, given, layout.probabilitiesAt);
      return { mask, counts, notFinite, probabilities: given };
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

/** Of one that never came to life there is no number. */
const isGone = ({ pid, exitCode, signalCode }: ChildProcess): boolean =>
  pid === undefined || exitCode !== null || signalCode !== null;

async function kill(child: ChildProcess): Promise<void> {
  if (isGone(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

type ReplyOf<T extends ProcessReply['type']> = Extract<ProcessReply, { type: T }>;
type FailureCode = 'ENGINE_UNAVAILABLE' | 'ENGINE_FAILED';

/** One request at a time; the answer, or what became of the process. `seconds`: longest wait, 0 without end. */
function askChild(child: ChildProcess) {
  return <T extends ProcessReply['type']>(
    request: ProcessRequest,
    wanted: T,
    code: FailureCode,
    seconds = 0,
  ): Promise<ReplyOf<T>> =>
    new Promise((resolve, reject) => {
      const fail = (message: string, fix?: string) =>
        settle(() => reject(new StromaflowError(code, message, { ...(fix !== undefined && { fix }) })));
      const onMessage = (reply: ProcessReply) =>
        settle(() => (reply.type === wanted ? resolve(reply as ReplyOf<T>) : reject(refused(reply, code))));
      const onExit = (status: number | null, signal: string | null) => fail(...epitaph(status, signal));
      const onError = (error: Error) => fail(`the engine's process cannot be reached: ${error.message}`);
      const timer = seconds > 0 ? setTimeout(() => fail(...silence(seconds)), seconds * 1000) : undefined;
      const settle = (how: () => void) => {
        clearTimeout(timer);
        child.off('message', onMessage).off('exit', onExit).off('error', onError);
        how();
      };
      child.on('message', onMessage).on('exit', onExit).on('error', onError);
      if (isGone(child)) onExit(child.exitCode, child.signalCode);
      else child.send(request, error => error && onError(error));
    });
}

function refused(reply: ProcessReply, code: FailureCode): StromaflowError {
  return reply.type === 'failed' ? fromWire(reply.error) : new StromaflowError(code, `unexpected ${reply.type}`);
}

/** The kernel kills whoever needs more memory than there is, without a word. */
function epitaph(status: number | null, signal: string | null): [message: string, fix?: string] {
  if (signal === 'SIGKILL')
    return ["the engine's process was killed, most likely because the machine ran out of memory", 'lower --batch'];
  return [`the engine's process crashed (${signal ?? `exit status ${status}`})`];
}

const silence = (seconds: number): [message: string, fix: string] => [
  `the engine did not answer within ${seconds} s`,
  'raise --engine-timeout for a slow engine; else look at the driver',
];
