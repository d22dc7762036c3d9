import { StromaflowError } from '../errors.js';
import type { PatchRecord } from '../read/patch.js';
import type { Ledger, RunLedger } from './ledger.js';
import { fingerprintOf, freshRun, isSameRun, knownRun, type StoredRun } from './run-key.js';

interface Run {
  readonly patches: Map<string, PatchRecord>;
  stored: StoredRun;
}

/** A ledger that lasts as long as the process: for --no-ledger and for tests. */
export function createMemoryLedger(): Ledger {
  const runs = new Map<string, Run>();
  const sources = new Map<string, string>();
  const names = new Map<string, string>();
  let closed = false;
  const check = (): void => {
    if (closed) throw new StromaflowError('LEDGER_FAILED', 'the ledger in memory: closed');
  };
  return {
    async run(key, growth) {
      check();
      let run = runs.get(key.slide);
      if (!run || !isSameRun(run.stored, key, growth))
        run = { patches: new Map(), stored: freshRun(key, growth, run?.stored) };
      runs.set(key.slide, run);
      return openRun(run, check);
    },
    find(slide) {
      check();
      const run = runs.get(slide);
      return run && knownRun(run.stored);
    },
    runs() {
      check();
      return [...runs]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([slide, run]) => ({ slide, run: openRun(run, check) }));
    },
    names: {
      sourceOf: name => sources.get(name.toLowerCase()),
      nameOf: source => names.get(source),
      async give(name, source) {
        check();
        sources.set(name.toLowerCase(), source);
        names.set(source, name);
      },
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
      const { key, growth, again, ...state } = run.stored;
      return state;
    },
    fingerprint: fingerprintOf(run.stored),
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
      const { key, growth, again } = run.stored;
      run.stored = { key, ...(growth && { growth }), ...(again && { again }), ...state };
    },
  };
}
