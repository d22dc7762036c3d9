import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { lastValueFrom, mergeMap, take, tap, toArray } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { ArrivalQueue } from '#src/live/arrival-queue.js';
import { type Credited, CreditPool, credit } from '#src/stage/credit.js';
import { RecordingObserver } from '../support/observer.js';

async function* count(upTo: number, pulled: { count: number }): AsyncGenerator<number> {
  for (let value = 0; value < upTo; value += 1) {
    pulled.count += 1;
    yield value;
  }
}

const never = new AbortController().signal;

describe('CreditPool', () => {
  it('hands out each slot once until it is released', async () => {
    const pool = new CreditPool(3);
    const slots = [await pool.acquire(never), await pool.acquire(never), await pool.acquire(never)];
    expect(new Set(slots)).toEqual(new Set([0, 1, 2]));
    expect(pool.free).toBe(0);
    const waiting = pool.acquire(never);
    pool.release(1);
    expect(await waiting).toBe(1);
  });

  it('serves those who wait in the order they came', async () => {
    const pool = new CreditPool(1);
    const slot = (await pool.acquire(never)) as number;
    const order: string[] = [];
    const first = pool.acquire(never).then(got => {
      order.push('first');
      return got;
    });
    const second = pool.acquire(never).then(() => order.push('second'));
    pool.release(slot);
    pool.release((await first) as number);
    await second;
    expect(order).toEqual(['first', 'second']);
  });

  it('refuses a slot that is not out', async () => {
    const pool = new CreditPool(2);
    const slot = (await pool.acquire(never)) as number;
    pool.release(slot);
    expect(() => pool.release(slot)).toThrow(/twice/);
    expect(() => new CreditPool(0)).toThrow(RangeError);
  });

  it('lets go of a wait that is aborted, without losing a slot', async () => {
    const pool = new CreditPool(1);
    const slot = (await pool.acquire(never)) as number;
    const abort = new AbortController();
    const waiting = pool.acquire(abort.signal);
    abort.abort();
    expect(await waiting).toBeUndefined();
    pool.release(slot);
    expect(pool.free).toBe(1);
  });
});

describe('credit', () => {
  it('never lets more in than there are credits, whatever the stage does with them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.record({ wait: fc.integer({ min: 0, max: 3 }), fails: fc.boolean() }), { maxLength: 60 }),
        async (credits, work) => {
          const pool = new CreditPool(credits);
          const pulled = { count: 0 };
          let inside = 0;
          let peak = 0;
          const results = await lastValueFrom(
            credit(count(work.length, pulled), pool, new RecordingObserver(), never).pipe(
              tap(() => {
                inside += 1;
                peak = Math.max(peak, inside);
              }),
              mergeMap(async ({ item, slot }) => {
                const { wait, fails } = work[item]!;
                if (wait > 0) await sleep(wait);
                inside -= 1;
                pool.release(slot);
                return { item, fails };
              }),
              toArray(),
            ),
          );
          expect(peak).toBeLessThanOrEqual(credits);
          expect(results.map(({ item }) => item).sort((a, b) => a - b)).toEqual(work.map((_, index) => index));
          expect(pool.free).toBe(credits);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not pull an item before it has a credit', async () => {
    const pool = new CreditPool(2);
    const pulled = { count: 0 };
    const slots: number[] = [];
    const subscription = credit(count(100, pulled), pool, new RecordingObserver(), never).subscribe(({ slot }) =>
      slots.push(slot),
    );
    await sleep(20);
    expect(pulled.count).toBe(2);
    pool.release(slots[0]!);
    await sleep(20);
    expect(pulled.count).toBe(3);
    subscription.unsubscribe();
  });

  it('reports a slot that waits for an item as free, so that an idle graph has nothing in flight', async () => {
    const pool = new CreditPool(2);
    const reported: number[] = [];
    const observer = new RecordingObserver();
    observer.credits = free => void reported.push(free);
    const items = new ArrivalQueue<string>();
    const inside: Credited<string>[] = [];
    const done = new Promise<void>(complete =>
      credit(items, pool, observer, never).subscribe({ next: one => void inside.push(one), complete }),
    );
    const pulled = () => vi.waitFor(() => expect(reported.length).toBe(reports), { interval: 1 });
    let reports = 1;
    await pulled();
    expect([pool.free, reported]).toEqual([1, [2]]);
    items.push('a');
    reports = 3;
    await pulled();
    // It came, and the next is waited for with the last slot.
    expect([pool.free, pool.empty, reported]).toEqual([0, 1, [2, 1, 1]]);
    items.push('b');
    reports = 4;
    await pulled();
    expect([pool.free, pool.empty, reported.at(-1)]).toEqual([0, 0, 0]);
    for (const { slot } of inside) pool.release(slot);
    reports = 5;
    await pulled();
    expect([pool.free, pool.empty, reported.at(-1)]).toEqual([1, 2, 2]);
    items.end();
    await done;
    expect([pool.free, pool.empty]).toEqual([2, 2]);
  });

  it('stops pulling and completes when aborted, and closes the source', async () => {
    const abort = new AbortController();
    const pool = new CreditPool(1);
    let closed = false;
    async function* endless(): AsyncGenerator<number> {
      try {
        for (;;) yield 1;
      } finally {
        closed = true;
      }
    }
    const done = lastValueFrom(credit(endless(), pool, new RecordingObserver(), abort.signal).pipe(toArray()));
    await sleep(10);
    abort.abort();
    expect(await done).toHaveLength(1);
    expect(closed).toBe(true);
  });

  it('leaks no credit when the consumer unsubscribes or the source fails', async () => {
    const pool = new CreditPool(2);
    await lastValueFrom(
      credit(count(10, { count: 0 }), pool, new RecordingObserver(), never).pipe(
        tap(({ slot }) => pool.release(slot)),
        take(3),
      ),
    );
    await sleep(10);
    expect(pool.free).toBe(2);
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error('the source broke');
    }
    const failed = lastValueFrom(
      credit(failing(), pool, new RecordingObserver(), never).pipe(tap(({ slot }) => pool.release(slot))),
    );
    await expect(failed).rejects.toThrow('the source broke');
    expect(pool.free).toBe(2);
  });
});
