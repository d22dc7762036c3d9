import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Alarm } from '#src/watch/alarm.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether a wait is over, without waiting for it. */
function watched(wait: Promise<void>): { over: () => Promise<boolean> } {
  let over = false;
  void wait.then(() => {
    over = true;
  });
  return {
    over: async () => {
      await vi.advanceTimersByTimeAsync(0);
      return over;
    },
  };
}

describe('Alarm', () => {
  const never = new AbortController().signal;

  it('waits for the time, not a millisecond less', async () => {
    const { over } = watched(new Alarm().wait(100, never));
    await vi.advanceTimersByTimeAsync(99);
    expect(await over()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await over()).toBe(true);
  });

  it('ends early when rung, and leaves no timer', async () => {
    const alarm = new Alarm();
    const { over } = watched(alarm.wait(1000, never));
    expect(await over()).toBe(false);
    alarm.ring();
    expect(await over()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    // That ring is used up.
    expect(await watched(alarm.wait(1000, never)).over()).toBe(false);
  });

  it('keeps a ring that nobody heard for the next wait, and only that', async () => {
    const alarm = new Alarm();
    alarm.ring();
    alarm.ring();
    expect(await watched(alarm.wait(1000, never)).over()).toBe(true);
    expect(await watched(alarm.wait(1000, never)).over()).toBe(false);
  });

  it('ends when the signal aborts, at once when it has, and forgets it afterwards', async () => {
    const stop = new AbortController();
    const alarm = new Alarm();
    for (let round = 0; round < 3; round++) {
      const { over } = watched(alarm.wait(1000, stop.signal));
      alarm.ring();
      expect(await over()).toBe(true);
    }
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    const { over } = watched(alarm.wait(1000, stop.signal));
    stop.abort();
    expect(await over()).toBe(true);
    expect(await watched(alarm.wait(1000, stop.signal)).over()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
