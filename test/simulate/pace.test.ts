import { describe, expect, it } from 'vitest';
import { createPace } from '#src/simulate/pace.js';

/** A clock that only waits and `work` move; every wait comes late by `lateness`. */
function clock(lateness = 0) {
  let time = 1000;
  return {
    time: () => time,
    work: (ms: number) => {
      time += ms;
    },
    options: {
      now: () => time,
      wait: async (ms: number) => {
        time += ms + lateness;
      },
    },
  };
}

describe('createPace', () => {
  it('does not drift: tile n is due n / rate after the first, however late each wait was', async () => {
    const { time, options } = clock(3);
    const pace = createPace(50, options);
    for (let i = 0; i <= 100; i++) await pace.next();
    expect(time()).toBeGreaterThanOrEqual(1000 + 2000);
    expect(time()).toBeLessThanOrEqual(1000 + 2000 + 4);
  });

  it('catches up after slow writes', async () => {
    const { time, work, options } = clock();
    const pace = createPace(10, options);
    await pace.next();
    work(950);
    for (let i = 1; i <= 9; i++) await pace.next();
    expect(time()).toBe(1950);
    await pace.next();
    expect(time()).toBe(2000);
  });

  it('stalls, and is as much later from then on', async () => {
    const { time, options } = clock();
    const pace = createPace(10, options);
    await pace.next();
    await pace.stall(7);
    expect(time()).toBe(8000);
    await pace.next();
    expect(time()).toBe(8100);
  });

  it('stops with the signal, while it waits and before', async () => {
    const controller = new AbortController();
    const pace = createPace(0.001, { signal: controller.signal });
    await pace.next();
    const waiting = pace.next();
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(createPace(0, { signal: controller.signal }).next()).rejects.toThrow('enough');
  });
});
