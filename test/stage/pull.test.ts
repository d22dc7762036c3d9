import fc from 'fast-check';
import { firstValueFrom, lastValueFrom, NEVER, of, Subject, take, throwError, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { pull } from '#src/stage/pull.js';

/** Counts from 0 and remembers how far it was asked, and whether it was closed. */
function counter(length = Infinity) {
  const state = { asked: 0, closed: false };
  async function* items(): AsyncGenerator<number> {
    try {
      for (let i = 0; i < length; i++) {
        state.asked++;
        yield i;
      }
    } finally {
      state.closed = true;
    }
  }
  return { state, items: items() };
}

/** Lets everything that waits for nothing but its turn go on. */
const settle = () => new Promise(resolve => setImmediate(resolve));

describe('pull', () => {
  it('asks for no more items than it has room for, one more as one ends', async () => {
    const { state, items } = counter();
    const running = new Map<number, Subject<string>>();
    const subscription = pull(
      items,
      item => {
        const subject = new Subject<string>();
        running.set(item, subject);
        return subject;
      },
      3,
    ).subscribe();
    await settle();
    expect(state.asked).toBe(3);
    running.get(1)!.complete();
    await settle();
    expect(state.asked).toBe(4);
    running.get(0)!.next('a value is no end');
    await settle();
    expect(state.asked).toBe(4);
    subscription.unsubscribe();
    await settle();
    expect(state).toEqual({ asked: 4, closed: true });
  });

  it('gives what every projection gives, as many at once as allowed, and ends with the last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        async (turns, concurrency) => {
          let running = 0;
          let most = 0;
          const project = async (index: number): Promise<number> => {
            most = Math.max(most, ++running);
            for (let turn = 0; turn < turns[index]!; turn++) await settle();
            running--;
            return index * 10;
          };
          const results = await lastValueFrom(pull(counter(turns.length).items, project, concurrency).pipe(toArray()));
          expect([...results].sort((a, b) => a - b)).toEqual(turns.map((_, index) => index * 10));
          expect(most).toBeLessThanOrEqual(concurrency);
          if (turns.length >= concurrency && turns.every(turn => turn > 0)) expect(most).toBe(concurrency);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes projections that end at once, and sources without items', async () => {
    expect(await lastValueFrom(pull(counter(5).items, item => of(item, -item), 2).pipe(toArray()))).toEqual([
      0, -0, 1, -1, 2, -2, 3, -3, 4, -4,
    ]);
    expect(await lastValueFrom(pull(counter(0).items, of, 2).pipe(toArray()))).toEqual([]);
  });

  it('hands on the failure of a projection and closes the source', async () => {
    const { state, items } = counter();
    const broken = new Error('broken');
    const failing = pull(items, item => (item === 1 ? throwError(() => broken) : NEVER), 4);
    await expect(lastValueFrom(failing)).rejects.toBe(broken);
    await settle();
    expect(state.closed).toBe(true);
    const thrown = pull(
      counter().items,
      () => {
        throw broken;
      },
      1,
    );
    await expect(lastValueFrom(thrown)).rejects.toBe(broken);
  });

  it('hands on the failure of the source, after what was given before', async () => {
    const seen: number[] = [];
    async function* failing() {
      yield 1;
      throw new Error('the disk is gone');
    }
    const values = pull(failing(), of, 3);
    await expect(
      new Promise((resolve, reject) =>
        values.subscribe({ next: value => seen.push(value), error: reject, complete: () => resolve(0) }),
      ),
    ).rejects.toThrow('the disk is gone');
    expect(seen).toEqual([1]);
  });

  it('closes the source when the subscriber has enough', async () => {
    const { state, items } = counter();
    expect(await firstValueFrom(pull(items, of, 2).pipe(take(1)))).toBe(0);
    await settle();
    expect(state.closed).toBe(true);
    expect(state.asked).toBeLessThanOrEqual(2);
  });

  it('refuses to run nothing at once', () => {
    expect(() => pull(counter().items, of, 0)).toThrow(RangeError);
  });
});
