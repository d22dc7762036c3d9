import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReadyPatch } from '#src/live/due-patches.js';
import type { PatchRecord } from '#src/read/patch.js';
import { FairQueue } from '#src/stage/fair-queue.js';
import type { DuePatch } from '#src/stage/session.js';
import { SLIDE, sessionOf } from './session-fixture.js';

const records = SLIDE.patches.map(({ record }) => record);
const index = ({ col, row }: { col: number; row: number }): number => row * SLIDE.plan.cols + col;
const failed = (record: PatchRecord): PatchRecord => ({ ...record, outcome: 'failed', code: 'TILE_CORRUPT' });

/** Whether a promise is settled by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open');
  return (await Promise.race([promise, new Promise(resolve => setImmediate(() => resolve(open)))])) !== open;
}

describe('a slide that is taken up', () => {
  it('has due what has no outcome that stands, row by row', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('none', 'done', 'failed', 'lost'), { minLength: 6, maxLength: 6 }),
        async states => {
          const known = records.flatMap((record, i) => {
            if (states[i] === 'none') return [];
            return [states[i] === 'failed' ? failed(record) : record];
          });
          const lost = records.filter((_, i) => states[i] === 'lost');
          const { session } = await sessionOf({ lost }, known);
          const standing = states.flatMap((state, i) => (state === 'done' ? [i] : []));
          expect(session.resumed.map(index).sort()).toEqual(standing);
          expect([session.resumedPatches, session.aggregate.settled]).toEqual([standing.length, standing.length]);
          const due = [...session.due()].map(({ ref }) => index(ref));
          expect(due).toEqual([0, 1, 2, 3, 4, 5].filter(i => !standing.includes(i)));
        },
      ),
      { numRuns: 40 },
    ));

  it('that grows has due what becomes ready, in that order, at the time it became so', async () => {
    const { session } = await sessionOf({}, [records[4]!]);
    async function* ready(): AsyncGenerator<ReadyPatch> {
      for (const i of [5, 4, 0, 3]) yield { ref: SLIDE.patches[i]!.ref, at: i * 10 };
    }
    const due: [number, number][] = [];
    for await (const { ref, dueAt } of session.dueWhenReady(ready())) due.push([index(ref), dueAt]);
    expect(due).toEqual([
      [5, 50],
      [0, 0],
      [3, 30],
    ]);
  });

  it('stops when it fails, and closes what told it of ready patches', async () => {
    const { session } = await sessionOf();
    const due = session.due();
    due.next();
    session.failure = new Error('full');
    expect(due.next().done).toBe(true);
    let closed = false;
    async function* ready(): AsyncGenerator<ReadyPatch> {
      try {
        for (const { ref } of SLIDE.patches) yield { ref, at: 0 };
      } finally {
        closed = true;
      }
    }
    expect((await session.dueWhenReady(ready()).next()).done).toBe(true);
    expect(closed).toBe(true);
  });
});

describe('a slide is drained', () => {
  it('once all were handed out and as many have left, not before', async () => {
    const { session } = await sessionOf();
    const due = session.due();
    for (const _ of SLIDE.patches) due.next();
    for (const _ of SLIDE.patches) session.leave();
    // The source has not said that it is over: one more could follow.
    expect(await isDone(session.drained)).toBe(false);
    expect(due.next().done).toBe(true);
    expect(await isDone(session.drained)).toBe(true);
  });

  it('when its source is closed early, and the patches that are inside have left', async () => {
    const { session } = await sessionOf();
    const due = session.due();
    due.next();
    due.next();
    due.return();
    session.leave();
    expect(await isDone(session.drained)).toBe(false);
    session.leave();
    expect(await isDone(session.drained)).toBe(true);
  });

  it('at once when it was over before its first patch', async () => {
    const { session } = await sessionOf();
    const over = new AbortController();
    over.abort();
    const due = new FairQueue<DuePatch>();
    due.add(session.due(over.signal));
    expect(await isDone(session.drained)).toBe(true);
    expect(session.aggregate.complete).toBe(false);
  });

  it('after those that were inside when it was over', async () => {
    const { session } = await sessionOf();
    const over = new AbortController();
    const due = session.due(over.signal);
    due.next();
    over.abort();
    expect(due.next().done).toBe(true);
    expect(await isDone(session.drained)).toBe(false);
    session.leave();
    expect(await isDone(session.drained)).toBe(true);
  });

  it('at once when everything has an outcome', async () => {
    const { session } = await sessionOf({}, records);
    expect([...session.due()]).toEqual([]);
    expect(await isDone(session.drained)).toBe(true);
    expect(session.aggregate.complete).toBe(true);
  });
});

describe('the aggregate of a slide', () => {
  it('has a revision of its own each time, after those of earlier starts', async () => {
    const { session, run } = await sessionOf();
    await run.update({ ...run.state, revision: 7 });
    const again = (await sessionOf({ run })).session;
    expect(again.revision).toBe(7);
    expect([again.nextAggregate(false).revision, again.nextAggregate(true).revision, again.revision]).toEqual([
      8, 9, 9,
    ]);
    expect(session.nextAggregate(false).revision).toBe(2);
  });

  it('is provisional until it is final, and counts missing patches only then', async () => {
    const { session } = await sessionOf({}, records.slice(0, 2));
    expect(session.nextAggregate(false)).toMatchObject({ provisional: true, patches: { expected: 6, missing: 0 } });
    const last = session.nextAggregate(true);
    expect(last).toMatchObject({ provisional: false, patches: { missing: 4 }, model: 'test@1', mpp: SLIDE.plan.mpp });
    expect(['tiles' in last, 'iou' in last]).toEqual([false, false]);
  });

  it('says how the tiles of a growing slide stand, and the IoU where there are labels', async () => {
    const tiles = { expected: 9, seen: 4, missing: 0, late: 1, overwritten: 2 };
    const { session } = await sessionOf({ tiles: () => tiles }, [{ ...records[0]!, intersection: 3, union: 4 }]);
    expect(session.nextAggregate(false)).toMatchObject({ tiles, iou: { value: 0.75, labelledPatches: 1 } });
  });
});

it('a session closes its reader, its output and its labels', async () => {
  const closed: string[] = [];
  const labels = { score: async () => undefined, close: async () => void closed.push('labels closed') };
  const { session, log } = await sessionOf({ labels });
  await session.close();
  expect([...log, ...closed]).toEqual(['reader closed', 'output closed', 'labels closed']);
});
