import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clock, ProgressCounter, progressLine } from '#src/cli/progress.js';

describe('ProgressCounter', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => vi.useRealTimers());

  it('gives the rate of the last seconds and what is left at that rate', () => {
    const progress = new ProgressCounter();
    progress.expect(100, 40);
    vi.advanceTimersByTime(5000);
    for (let patch = 0; patch < 10; patch += 1) progress.acknowledged();
    expect(progress.state).toEqual({ done: 50, expected: 100, patchesPerSecond: 2, etaSeconds: 25 });
  });

  it('shows a stall', () => {
    const progress = new ProgressCounter();
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

  it('is as wide whatever was counted, a patch that was done twice included', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), fc.double({ min: 0, max: 1e4, noNaN: true }), (done, expected, rate) => {
        const line = progressLine({ done, expected, patchesPerSecond: rate, etaSeconds: undefined });
        const [, full, open] = /^(█*)(░*) \d/.exec(line)!;
        expect(full!.length + open!.length).toBe(28);
        expect(full!.length === 28).toBe(expected > 0 && done >= expected);
        expect(line.includes('ETA')).toBe(done < expected);
      }),
    );
  });

  it.each([
    [9.94, '9.9'],
    [9.96, '10.0'],
    [10, '10'],
    [99.5, '100'],
  ])('writes a rate of %s as %s', (patchesPerSecond, text) => {
    expect(progressLine({ done: 1, expected: 2, patchesPerSecond, etaSeconds: 1 })).toContain(`  ${text} patches/s`);
  });

  it('has no ETA when done, and an open one before anything is', () => {
    expect(progressLine({ done: 3, expected: 3, patchesPerSecond: 20, etaSeconds: 0 })).not.toContain('ETA');
    expect(progressLine({ done: 0, expected: 3, patchesPerSecond: 0, etaSeconds: undefined })).toContain('ETA …');
  });

  it.each([
    [0, '0:00'],
    [59.5, '1:00'],
    [75, '1:15'],
    [3599.4, '59:59'],
    [3599.5, '1:00:00'],
    [-3, '0:00'],
    [3725, '1:02:05'],
  ])('writes %s seconds as %s', (seconds, text) => expect(clock(seconds)).toBe(text));
});
