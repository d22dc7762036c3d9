import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clock, ProgressCounter, progressLine } from '#src/cli/progress.js';

describe('ProgressCounter', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => vi.useRealTimers());

  it('gives the rate of the last seconds and what is left at that rate', () => {
    const progress = new ProgressCounter(10);
    progress.expect(100, 40);
    vi.advanceTimersByTime(5000);
    for (let patch = 0; patch < 10; patch += 1) progress.acknowledged();
    expect(progress.state).toEqual({ done: 50, expected: 100, patchesPerSecond: 2, etaSeconds: 25 });
  });

  it('shows a stall', () => {
    const progress = new ProgressCounter(10);
    progress.expect(10, 0);
    vi.advanceTimersByTime(1000);
    progress.acknowledged();
    vi.advanceTimersByTime(60_000);
    expect(progress.state).toMatchObject({ patchesPerSecond: 0, etaSeconds: undefined });
  });
});

describe('progressLine', () => {
  it('draws bar, counts, rate and ETA', () => {
    const line = progressLine({ done: 15, expected: 30, patchesPerSecond: 1.96, etaSeconds: 7.6 });
    expect(line).toBe(`${'█'.repeat(14)}${'░'.repeat(14)} 15/30 patches  2.0 patches/s  ETA 0:08`);
  });

  it('has no ETA when done, and an open one before anything is', () => {
    expect(progressLine({ done: 3, expected: 3, patchesPerSecond: 20, etaSeconds: 0 })).not.toContain('ETA');
    expect(progressLine({ done: 0, expected: 3, patchesPerSecond: 0, etaSeconds: undefined })).toContain('ETA …');
  });

  it.each([
    [0, '0:00'],
    [75, '1:15'],
    [3725, '1:02:05'],
  ])('writes %s seconds as %s', (seconds, text) => expect(clock(seconds)).toBe(text));
});
