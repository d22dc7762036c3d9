import { StromaflowError } from '../errors.js';
import type { PatchRecord } from '../slide/patch.js';
import type { Ledger, RunLedger, RunState } from './ledger.js';
import { FRESH_RUN, runKeyText } from './run-key.js';

interface Run {
  readonly key: string;
  readonly patches: Map<string, PatchRecord>;
  state: RunState;
}

/** A ledger that lasts as long as the process: for --no-ledger and for tests. */
export function createMemoryLedger(): Ledger {
  const runs = new Map<string, Run>();
  let closed = false;
  const check = (): void => {
    if (closed) throw new StromaflowError('LEDGER_FAILED', 'the ledger in memory: closed');
  };
  return {
    async run(key) {
      check();
      const text = runKeyText(key);
      let run = runs.get(key.slide);
      if (run?.key !== text) run = { key: text, patches: new Map(), state: { ...FRESH_RUN } };
      runs.set(key.slide, run);
      return openRun(run, check);
    },
    async close() {
      closed = true;
    },
  };
}

function openRun(run: Run, check: () => void): RunLedger {
  const place = (level: number, col: number, row: number): string => `${level} ${col} ${row}`;
  return {
    get state() {
      return run.state;
    },
    records() {
      check();
      return [...run.patches.values()];
    },
    get(level, col, row) {
      check();
      return run.patches.get(place(level, col, row));
    },
    async record(patch) {
      check();
      run.patches.set(place(patch.level, patch.col, patch.row), { ...patch });
    },
    async update(state) {
      check();
      run.state = { ...state };
    },
  };
}
