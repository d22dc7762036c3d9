import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunKey } from '#src/run-key.js';
import {
  fingerprintOf,
  freshRun,
  isSameRun,
  knownRun,
  REPLACED,
  runKeyText,
  type StoredRun,
} from '#src/store/run-key.js';

const part = fc.oneof(fc.string(), fc.constantFrom('a', 'b', '","', '\\', 'a","b'));
const keys = fc.record<RunKey>({ slide: part, fingerprint: part, modelVersion: part, plan: part });
const GROWTH = { identity: 'inode 7', growing: true, content: () => 'content' };
const KEY: RunKey = { slide: 's', fingerprint: 'growing', modelVersion: 'm', plan: 'p' };
const FINISHED: RunKey = { ...KEY, fingerprint: 'finished' };

describe('the key of a run', () => {
  it('is one text exactly when all its parts are equal', () => {
    fc.assert(
      fc.property(keys, keys, (one, other) => {
        const equal = (Object.keys(one) as (keyof RunKey)[]).every(name => one[name] === other[name]);
        expect(runKeyText(one) === runKeyText(other)).toBe(equal);
        expect(runKeyText({ ...one })).toBe(runKeyText(one));
      }),
    );
  });

  it('keeps the fingerprint that the run began under', () => {
    fc.assert(fc.property(keys, key => fingerprintOf(freshRun(key, undefined)) === key.fingerprint));
  });
});

describe('freshRun', () => {
  it('begins at revision 1, and remembers growth only of a slide that grows', () => {
    expect(freshRun(KEY, undefined)).toEqual({ key: runKeyText(KEY), revision: 1, state: 'open' });
    expect(freshRun(KEY, { ...GROWTH, growing: false })).toEqual(freshRun(KEY, undefined));
    expect(freshRun(KEY, GROWTH)).toEqual({ ...freshRun(KEY, undefined), growth: 'inode 7' });
  });
});

describe('a run that was given up because its slide was replaced', () => {
  const given: StoredRun = { ...freshRun(KEY, GROWTH), state: 'incomplete', finished: REPLACED };

  it('is nobody’s any more, and another one of its key has another name', () => {
    for (const growth of [undefined, GROWTH, { ...GROWTH, content: () => REPLACED }])
      expect(isSameRun(given, KEY, growth)).toBe(false);
    const again = freshRun(KEY, undefined, given);
    expect([fingerprintOf(again), isSameRun(again, KEY, undefined)]).toEqual(['growing+1', true]);
    const third = freshRun(KEY, undefined, { ...again, finished: REPLACED });
    expect([fingerprintOf(third), knownRun(third).fingerprint]).toEqual(['growing+2', 'growing']);
    expect(fingerprintOf(freshRun(FINISHED, undefined, given))).toBe('finished');
    expect(fingerprintOf(freshRun(KEY, undefined, freshRun(KEY, undefined)))).toBe('growing');
  });
});

describe('isSameRun', () => {
  const grown: StoredRun = freshRun(KEY, GROWTH);
  const done: StoredRun = { ...grown, state: 'completed', finished: 'content' };
  const unasked = {
    ...GROWTH,
    content: (): string => {
      throw new Error('nobody should read the tiles for this');
    },
  };

  it('is true of the same key whatever grew, without a look at the content', () => {
    for (const stored of [grown, done, freshRun(KEY, undefined)])
      for (const growth of [undefined, unasked, { ...unasked, identity: 'inode 8' }])
        expect(isSameRun(stored, KEY, growth)).toBe(true);
  });

  it.each<[string, StoredRun, RunKey, Parameters<typeof isSameRun>[2], boolean]>([
    ['grew and goes on', grown, FINISHED, unasked, true],
    ['grew, of which nobody says so now', grown, FINISHED, undefined, false],
    ['grew in another file', grown, FINISHED, { ...unasked, identity: 'inode 8' }, false],
    ['never grew', freshRun(KEY, undefined), FINISHED, unasked, false],
    ['grew under another plan', grown, { ...FINISHED, plan: 'q' }, unasked, false],
    ['grew under another model', grown, { ...FINISHED, modelVersion: 'n' }, unasked, false],
    ['was completed with this content', done, FINISHED, GROWTH, true],
    ['was completed with another', done, FINISHED, { ...GROWTH, content: () => 'other' }, false],
  ])('of a run that %s', (_, stored, key, growth, same) => {
    expect(isSameRun(stored, key, growth)).toBe(same);
  });
});
