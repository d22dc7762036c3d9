import { expect, it } from 'vitest';
import { LATER_MS, Postponed } from '#src/tasks/postponed.js';

const never = new AbortController().signal;

/** Some outcomes that were put back, and whether those who wait for runs have heard. */
function postponed(of: readonly (readonly [run: string, seq: number])[], laterMs = 600_000) {
  const queue = new Postponed(laterMs);
  const later: (number | undefined)[] = [];
  for (const [run, seq] of of) queue.add(run, { seq, nak: milliseconds => void later.push(milliseconds) });
  const heard: string[] = [];
  const wait = (run: string, stop = never) => queue.of(run, stop).then(() => void heard.push(run));
  return { queue, later, heard, wait };
}

it('asks for what it puts back a little later', () => {
  expect(
    postponed(
      [
        ['a', 1],
        ['b', 2],
      ],
      LATER_MS,
    ).later,
  ).toEqual([LATER_MS, LATER_MS]);
});

it('tells each run when all that was put back of it came once more, whatever came of others', async () => {
  const { queue, heard, wait } = postponed([
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ]);
  const both = [wait('a'), wait('b')];
  queue.meet('a', 1);
  queue.meet('a', 1);
  queue.meet('a', 9);
  queue.meet('c', 3);
  await Promise.resolve();
  expect(heard).toEqual([]);
  queue.meet('b', 2);
  await both[1];
  expect(heard).toEqual(['b']);
  queue.meet('a', 3);
  await both[0];
  expect(heard).toEqual(['b', 'a']);
});

it('waits no longer than it takes, and then never again', async () => {
  const { heard, wait } = postponed([['a', 1]], 10);
  await wait('b');
  await wait('a');
  await wait('a');
  expect(heard).toEqual(['b', 'a', 'a']);
});

it('waits no longer when it is stopped', async () => {
  const { heard, wait } = postponed([
    ['a', 1],
    ['b', 2],
  ]);
  const stop = new AbortController();
  const waiting = wait('a', stop.signal);
  stop.abort();
  await waiting;
  await wait('c');
  await wait('b', stop.signal);
  expect(heard).toEqual(['a', 'c', 'b']);
});
