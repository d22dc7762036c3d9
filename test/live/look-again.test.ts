import { describe, expect, it } from 'vitest';
import { lookAgain } from '#src/live/look-again.js';

const LOOKS = { pollSeconds: 0.001 };
const unasked = (): boolean => {
  throw new Error('nobody should ask whether it changed');
};

describe('lookAgain', () => {
  it('opens what was replaced again at once, and what is gone never', async () => {
    expect(await lookAgain('replaced', LOOKS, unasked)).toBe(true);
    expect(await lookAgain('gone', LOOKS, unasked)).toBe(false);
  });

  it.each([true, false])('asks once of a complete one: changed %s', async changed => {
    let asked = 0;
    const hasChanged = () => {
      asked += 1;
      return changed;
    };
    expect(await lookAgain('complete', LOOKS, hasChanged)).toBe(changed);
    expect(asked).toBe(1);
  });

  it('asks of one that stalled until it changes, or nobody wants to know any more', async () => {
    let left = 4;
    expect(await lookAgain('stalled', LOOKS, () => left-- === 0)).toBe(true);
    expect(left).toBe(-1);
    const stop = new AbortController();
    let asked = 0;
    await lookAgain('stalled', { ...LOOKS, signal: stop.signal }, () => {
      if (++asked === 3) stop.abort();
      return false;
    });
    expect(asked).toBe(3);
  });
});
