import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * A process that waits while others have their turns: a line in, a line of JSON out. What it prints besides is left out: libraries greet people on standard
 * output.
 *
 * @returns `next`, the next line as an object, `turn`, which asks for one, `close` and `kill`
 * @throws (from them) its error, when it ended
 */
export function startTurns(program, args, env = {}) {
  const child = spawn(program, args.map(String), { env: { ...process.env, ...env } });
  let said = '';
  child.stderr.on('data', chunk => {
    said += chunk;
  });
  // One that ended says so by its output ending.
  child.stdin.on('error', () => undefined);
  // A program that is not there rejects it, to whoever asks next.
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (!done && !value.startsWith('{')) continue;
      if (!done) return JSON.parse(value);
      const [status, signal] = await closed;
      throw new Error(said.match(/^\w*Error: (.*)$/m)?.[1] ?? `it ended with ${signal ?? status}`);
    }
  };
  return {
    next,
    turn() {
      child.stdin.write('\n');
      return next();
    },
    /** Lets it clean up. */
    close: () => child.stdin.end(),
    kill: () => child.kill(),
  };
}
