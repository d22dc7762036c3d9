import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateMeter } from '#src/stage/rate.js';

function meter(startedAt = 100.3) {
  let now = startedAt;
  const rate = new RateMeter(() => now);
  return {
    rate,
    wait: (seconds: number) => {
      now += seconds;
    },
  };
}

describe('RateMeter', () => {
  it('is the rate of a steady flow, from the second second on', () => {
    const { rate, wait } = meter();
    for (let tick = 0; tick < 300; tick++) {
      wait(0.1);
      rate.add();
      if (tick >= 20) expect(rate.perSecond).toBeCloseTo(10, -0.5);
    }
  });

  it('does not boast in its first second', () => {
    const { rate } = meter();
    rate.add(5);
    expect(rate.perSecond).toBe(5);
  });

  it('forgets within the window and a second', () => {
    const { rate, wait } = meter();
    rate.add(1000);
    wait(9);
    expect(rate.perSecond).toBeGreaterThan(100);
    wait(2);
    expect(rate.perSecond).toBe(0);
  });

  it('never counts more than the window held, whatever the pauses', () => {
    const steps = fc.array(fc.tuple(fc.double({ min: 0, max: 30, noNaN: true }), fc.nat({ max: 50 })));
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), steps, (start, events) => {
        const { rate, wait } = meter(start);
        const recent: { at: number; count: number }[] = [];
        let now = start;
        for (const [pause, count] of events) {
          wait(pause);
          now += pause;
          rate.add(count);
          recent.push({ at: now, count });
          const inWindow = (seconds: number): number =>
            recent.filter(({ at }) => at > now - seconds).reduce((sum, event) => sum + event.count, 0);
          expect(rate.perSecond).toBeLessThanOrEqual(inWindow(11.001));
          expect(rate.perSecond * 11).toBeGreaterThanOrEqual(inWindow(10) * 0.999);
        }
      }),
    );
  });
});
