import { fork } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MOST_CPU_MS } from './execute.mjs';

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url));
/** JavaScript's own heap; what outgrows it ends the child and is a finding. */
const HEAP_MIB = 512;
const LOOK_MS = 100;
/** Wall time after which an input counts as a hang although it uses no CPU time. */
const MOST_WALL_MS = 20_000;
const TICKS_PER_SECOND = 100;

/** A child that executes one target's inputs, and the watch over it. */
export class Runner {
  #child;
  #onMessage = () => undefined;
  #onEnd = () => undefined;
  #folder;
  #progress;
  #hang;
  #watch;
  #stderr = '';

  static async start(target) {
    const runner = new Runner();
    await runner.#start(target);
    return runner;
  }

  async #start(target) {
    this.#folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stromaflow-fuzz-'));
    this.#progress = join(this.#folder, 'progress');
    const work = mkdtempSync(join(this.#folder, 'work-'));
    this.#child = fork(CHILD, [target, this.#progress, work], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${HEAP_MIB}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr.on('data', chunk => {
      this.#stderr = (this.#stderr + chunk).slice(-4000);
    });
    this.#child.on('message', message => this.#onMessage(message));
    this.#child.on('exit', (code, signal) => this.#onEnd(code, signal));
    await new Promise((resolve, reject) => {
      this.#onMessage = resolve;
      this.#onEnd = code => reject(new Error(`target ${target} does not start (${code}): ${this.#stderr}`));
    });
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
  }

  /**
   * Sends a job. Resolves when `onMessage` returns true, or the child has ended: then with the fault and the number of the
   * input that ended it.
   */
  run(job, onMessage) {
    this.#hang = undefined;
    return new Promise(resolve => {
      this.#onMessage = message => onMessage(message) && resolve(undefined);
      this.#onEnd = (code, signal) => {
        const detail = this.#hang ?? `${signal ?? `exit code ${code}`}: ${this.#stderr.slice(-600)}`;
        const where = this.#hang
          ? 'no end'
          : (/FATAL ERROR: [^\n]*|Assertion[^\n]*/.exec(this.#stderr)?.[0] ?? String(signal ?? code));
        resolve({ index: indexIn(this.#progress), fault: { kind: this.#hang ? 'hang' : 'crash', where, detail } });
      };
      this.#child.send(job);
    });
  }

  close() {
    clearInterval(this.#watch);
    this.#onEnd = () => undefined;
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #last = { index: -1, cpu: 0, at: 0 };

  #look() {
    const index = indexIn(this.#progress);
    if (index < 0) return;
    const cpu = cpuMs(this.#child.pid);
    if (index !== this.#last.index) {
      this.#last = { index, cpu, at: performance.now() };
      return;
    }
    const wall = performance.now() - this.#last.at;
    // Twice the limit: the child says so itself about what ends in time.
    if (cpu - this.#last.cpu < 2 * MOST_CPU_MS && wall < MOST_WALL_MS) return;
    this.#hang = `${(cpu - this.#last.cpu).toFixed(0)} ms of CPU time and no end`;
    this.#child.kill('SIGKILL');
  }
}

/** Number of the input in work; −1 before the first. */
function indexIn(progress) {
  const bytes = readFileSync(progress);
  return bytes.length < 8 ? -1 : bytes.readDoubleLE();
}

/** CPU time of a process so far; 0 where the system does not say, and then wall time decides. */
function cpuMs(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}
