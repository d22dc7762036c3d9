import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface CliRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly process: ChildProcess;
  readonly finished: Promise<CliRun>;
  /** Resolves when the text has stood on stdout; rejects when the process ends before. */
  printed(text: string | RegExp): Promise<void>;
}

/** Starts the command line as a user does, without anything from the environment that would configure it. */
export function startCli(args: readonly string[], environment: NodeJS.ProcessEnv = {}): RunningCli {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('STROMAFLOW_'));
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting: { text: string | RegExp; resolve(): void; reject(error: Error): void }[] = [];
  const check = (): void => {
    for (const entry of [...waiting]) {
      const found = typeof entry.text === 'string' ? stdout.includes(entry.text) : entry.text.test(stdout);
      if (!found) continue;
      waiting.splice(waiting.indexOf(entry), 1);
      entry.resolve();
    }
  };
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk;
    check();
  });
  child.stderr.setEncoding('utf8').on('data', chunk => {
    stderr += chunk;
  });
  const finished = new Promise<CliRun>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      for (const { text, reject: fail } of waiting.splice(0)) {
        fail(new Error(`ended before it printed ${text}\n${stdout}\n${stderr}`));
      }
      resolve({ status: code ?? -1, stdout, stderr });
    });
  });
  return {
    process: child,
    finished,
    printed: text =>
      new Promise((resolve, reject) => {
        waiting.push({ text, resolve, reject });
        check();
      }),
  };
}

export const runCli = (args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<CliRun> =>
  startCli(args, environment).finished;
