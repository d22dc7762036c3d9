import { describe, expect, it } from 'vitest';
import { CreditPool } from '#src/stage/credit.js';
import { microBatches } from '#src/train/micro-batches.js';
import type { IndexedPatch } from '#src/train/patch-index.js';
import type { SampleJob } from '#src/train/sample-messages.js';

const SIDE = 2;

/** Threads that finish in any order they are told to, and fill a slot with the patch's column. */
function threads(slots: number) {
  const memory = Array.from({ length: slots }, () => ({ image: new Uint8Array(12), labels: new Uint8Array(4) }));
  const waiting: (() => void)[] = [];
  const state = { started: 0, most: 0, underWay: 0, failAt: -1 };
  return {
    state,
    slot: (index: number) => memory[index]!,
    finish: (which: 'first' | 'last') => (which === 'first' ? waiting.shift() : waiting.pop())?.(),
    read: ({ col, slot }: SampleJob & { slot: number }) =>
      new Promise<void>((resolve, reject) => {
        state.started++;
        state.most = Math.max(state.most, ++state.underWay);
        waiting.push(() => {
          state.underWay--;
          if (col === state.failAt) return reject(new Error(`patch ${col} is damaged`));
          memory[slot]!.image.fill(col);
          memory[slot]!.labels.fill(col % 2);
          resolve();
        });
      }),
  };
}

const patches: IndexedPatch[] = Array.from({ length: 20 }, (_, col) => ({
  ...{ item: 0, col, row: 0 },
  ...{ labelledPixels: 4, positivePixels: 1 },
}));
const index = { items: [{ image: {}, sample: {} }] } as never;

function start(pool: ReturnType<typeof threads>, slots: number, from = 0, size = 3) {
  const credits = new CreditPool(slots);
  const order = patches.map((_, place) => 19 - place);
  const signal = new AbortController().signal;
  return {
    credits,
    batches: microBatches(patches, order, from, { index, threads: pool, side: SIDE, size, credits, signal }),
  };
}

/** Everything, while threads finish last come first served. */
async function drain(pool: ReturnType<typeof threads>, batches: ReturnType<typeof start>['batches']) {
  const columns: number[][] = [];
  for (;;) {
    const next = batches.next();
    let settled = false;
    next.then(
      () => (settled = true),
      () => (settled = true),
    );
    while (!settled) {
      pool.finish('last');
      await new Promise(resolve => setImmediate(resolve));
    }
    const { value, done } = await next;
    if (done || !value) return columns;
    columns.push([...value.images].filter((_, i) => i % 12 === 0));
    expect(value.labels).toHaveLength(columns.at(-1)!.length * SIDE * SIDE);
  }
}

describe('batches', () => {
  it('come in order, whoever is faster, and the last one may be smaller', async () => {
    const pool = threads(7);
    const { batches, credits } = start(pool, 7);
    const columns = await drain(pool, batches);
    expect(columns.flat()).toEqual(patches.map(({ col }) => 19 - col));
    expect(columns.map(batch => batch.length)).toEqual([3, 3, 3, 3, 3, 3, 2]);
    expect(pool.state.most).toBe(7);
    expect(credits.free).toBe(7);
  });

  it('go on from any place', async () => {
    const pool = threads(4);
    const columns = await drain(pool, start(pool, 4, 18).batches);
    expect(columns).toEqual([[1, 0]]);
  });

  it('are read ahead no further than there are slots', async () => {
    const pool = threads(4);
    const { batches } = start(pool, 4);
    const first = batches.next();
    await new Promise(resolve => setImmediate(resolve));
    expect(pool.state.started).toBe(4);
    for (let i = 0; i < 3; i++) pool.finish('first');
    await first;
    await new Promise(resolve => setImmediate(resolve));
    // Three slots were given back, and taken again.
    expect(pool.state.started).toBe(7);
    const end = batches.return();
    while (pool.state.underWay > 0) pool.finish('first');
    await end;
  });

  it('end with the error of a patch that cannot be read, all slots given back', async () => {
    const pool = threads(5);
    pool.state.failAt = 12;
    const { batches, credits } = start(pool, 5);
    await expect(drain(pool, batches)).rejects.toThrow('patch 12 is damaged');
    expect(credits.free).toBe(5);
  });
});
