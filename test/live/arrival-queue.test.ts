import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrivalQueue } from '#src/live/arrival-queue.js';

const never = Symbol('still waiting');
/** What a promise has come to once everything that waits for nothing but its turn has gone on. */
const soon = <T>(promise: Promise<T>) => {
  const turn = new Promise<typeof never>(resolve => setImmediate(() => resolve(never)));
  return Promise.race([promise, turn]);
};

describe('ArrivalQueue', () => {
  it('gives out what was pushed, once and in order, however pushes and takes alternate', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.nat(5), fc.constant('take')), { maxLength: 40 }), async steps => {
        const queue = new ArrivalQueue<number>();
        const model: number[] = [];
        let pushed = 0;
        for (const step of steps) {
          if (step === 'take') {
            // One consumer: it is asked only where something lies there.
            if (model.length > 0) expect(await queue.next()).toEqual({ done: false, value: model.shift() });
            continue;
          }
          for (let i = 0; i < Number(step); i++) {
            queue.push(pushed);
            model.push(pushed++);
          }
        }
        queue.end();
        queue.push(-1);
        const rest: number[] = [];
        for await (const item of queue) rest.push(item);
        expect(rest).toEqual(model);
      }),
    ));

  it('lets a consumer wait until something comes, is over, or fails', async () => {
    const queue = new ArrivalQueue<string>();
    const waiting = queue.next();
    expect(await soon(waiting)).toBe(never);
    queue.push('a');
    expect(await waiting).toEqual({ done: false, value: 'a' });
    const last = queue.next();
    queue.end();
    expect(await last).toEqual({ done: true, value: undefined });
    const broken = new ArrivalQueue<string>();
    const failing = broken.next();
    const reason = new Error('the disk is gone');
    broken.fail(reason);
    await expect(failing).rejects.toBe(reason);
  });

  it('gives out what came before a failure first', async () => {
    const queue = new ArrivalQueue<number>();
    queue.push(1);
    queue.push(2);
    queue.fail(undefined);
    expect([(await queue.next()).value, (await queue.next()).value]).toEqual([1, 2]);
    await expect(queue.next()).rejects.toBeUndefined();
  });

  it('drops what is left and says so when its consumer has enough', async () => {
    let returned = 0;
    const queue = new ArrivalQueue<number>(() => {
      returned += 1;
    });
    for (const item of [1, 2, 3]) queue.push(item);
    for await (const item of queue) {
      expect(item).toBe(1);
      break;
    }
    expect(returned).toBe(1);
    queue.push(4);
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });
});
