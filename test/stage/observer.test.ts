import { expect, it } from 'vitest';
import { combineObservers } from '#src/stage/observer.js';

it('observers that are combined each hear everything', () => {
  const calls: unknown[][] = [[], []];
  const names = ['entered', 'left', 'dropped', 'batched', 'inferred', 'credits', 'acknowledged'] as const;
  const listening = calls.map(heard =>
    Object.fromEntries(names.map(name => [name, (...given: unknown[]) => heard.push([name, ...given])])),
  );
  const ref = { slide: 's', level: 0, col: 1, row: 2, x: 0, y: 0, width: 1, height: 1 };
  const all = combineObservers(listening as unknown as Parameters<typeof combineObservers>[0]);
  all.entered('read');
  all.left('read', 'failed', 0.5);
  all.dropped('empty', ref);
  all.batched(4, 'full', 0.25);
  all.inferred(4, 0.125);
  all.credits(1, 2, 3);
  all.acknowledged(7);
  expect(calls[0]).toEqual([
    ['entered', 'read'],
    ['left', 'read', 'failed', 0.5],
    ['dropped', 'empty', ref],
    ['batched', 4, 'full', 0.25],
    ['inferred', 4, 0.125],
    ['credits', 1, 2, 3],
    ['acknowledged', 7],
  ]);
  expect(calls[1]).toEqual(calls[0]);
});
