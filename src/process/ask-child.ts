import type { ChildProcess, Serializable } from 'node:child_process';
import { once } from 'node:events';

/** 'silent': it may still be there, and hangs. 'killed': from outside, most likely by a kernel without memory. */
export type LostReason = 'crashed' | 'killed' | 'silent' | 'unreachable';

/** What became of a child instead of an answer; the message goes on from its name. */
export class ChildLost extends Error {
  override readonly name = 'ChildLost';
  readonly reason: LostReason;

  constructor(reason: LostReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface AskOptions {
  /** Longest wait for the answer; without end unless given. */
  readonly seconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request to a child and waits for its answer; one request at a time.
 *
 * @throws ChildLost when the child ends, cannot be reached or does not answer in time; the signal's reason.
 */
export function askChild<Reply>(child: ChildProcess, request: Serializable, options: AskOptions = {}): Promise<Reply> {
  const { seconds, signal } = options;
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    const fail = (error: unknown) => settle(() => reject(error));
    const onMessage = (reply: unknown) => settle(() => resolve(reply as Reply));
    const onExit = (status: number | null, killer: string | null) => fail(epitaph(status, killer));
    const onError = (error: Error) => fail(new ChildLost('unreachable', `cannot be reached: ${error.message}`));
    const onAbort = () => fail(signal?.reason);
    const onTime = () => fail(new ChildLost('silent', `did not answer within ${seconds} s`));
    const timer = seconds === undefined ? undefined : setTimeout(onTime, seconds * 1000);
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    else if (child.pid === undefined) onError(new Error('it could not be started'));
    else if (isGone(child)) onExit(child.exitCode, child.signalCode);
    // Whom a message does not reach is about to end, and of what is known then.
    else child.send(request, () => undefined);
  });
}

/** Ends a child, whatever it is at, and waits for its end. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (isGone(child)) return;
  const gone = once(child, 'exit');
  child.ref();
  child.kill('SIGKILL');
  await gone;
}

/** Of one that never came to life there is no number. */
const isGone = ({ pid, exitCode, signalCode }: ChildProcess): boolean =>
  pid === undefined || exitCode !== null || signalCode !== null;

/** The kernel kills whoever needs more memory than there is, without a word. */
function epitaph(status: number | null, killer: string | null): ChildLost {
  if (killer === 'SIGKILL')
    return new ChildLost('killed', 'was killed, most likely because the machine ran out of memory');
  return new ChildLost('crashed', `crashed (${killer ?? `exit status ${status}`})`);
}
