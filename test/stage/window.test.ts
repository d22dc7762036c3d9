import fc from 'fast-check';
import { of, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { Blend } from '#src/mask/blend.js';
import type { PatchPlan, PatchRecord, PatchRef } from '#src/read/patch.js';
import { blend } from '#src/stage/blend.js';
import { CreditPool } from '#src/stage/credit.js';
import { type InferredPatch, NO_SLOT } from '#src/stage/item.js';
import { combineObservers } from '#src/stage/observer.js';
import type { DuePatch } from '#src/stage/session.js';
import { inWindow } from '#src/stage/window.js';
import { type Session, SLIDE, sessionOf } from './session-fixture.js';

const planOf = (cols: number, rows: number): PatchPlan => {
  const [width, height] = [cols * 32, rows * 32];
  return { ...SLIDE.plan, patchSize: 64, margin: 16, core: 32, blended: true, cols, rows, width, height };
};
const refsOf = ({ cols, rows }: PatchPlan): PatchRef[] =>
  Array.from({ length: cols * rows }, (_, i) => ({
    ...SLIDE.patches[0]!.ref,
    col: i % cols,
    row: Math.floor(i / cols),
  }));
const recordOf = ({ level, col, row }: PatchRef): PatchRecord => ({
  ...{ level, col, row, outcome: 'segmented', validPixels: 1, tissuePixels: 1, stromaPixels: 0 },
});
const never = () => new AbortController().signal;
const observer = combineObservers([]);

interface Course {
  /** Places in the order in which they were given out, those that were needed again apart. */
  readonly given: number[];
  readonly again: number[];
  readonly settled: number[];
  readonly mostInside: number;
  readonly mostOpen: number;
  readonly free: number;
}

/** Runs a slide through window and blend with so many credits; `pick` says which of those in flight the engine is done with next. */
async function course(
  session: Session,
  ready: readonly PatchRef[],
  slots: number,
  pick: (many: number) => number,
): Promise<Course> {
  const { plan } = session;
  const place = ({ col, row }: PatchRef) => row * plan.cols + col;
  const credits = new CreditPool(slots);
  // A second blend, of the same patches, says how many sums are kept.
  const twin = new Blend(plan);
  const [given, again, settled]: [number[], number[], number[]] = [[], [], []];
  let [mostInside, mostOpen] = [0, 0];
  const inferred = new Subject<InferredPatch>();
  inferred.pipe(blend(credits, observer)).subscribe(patch => {
    expect(patch.slot).toBe(NO_SLOT);
    settled.push(place(patch.ref));
    session.settle(recordOf(patch.ref));
    session.leave();
  });
  const source = inWindow(session, of_(ready), slots, never());
  const flying: { patch: DuePatch; slot: number }[] = [];
  let isDone = false;
  let asked: Promise<void> | undefined;
  const ask = async () => {
    const slot = await credits.acquire(never());
    const next = await source.next();
    asked = undefined;
    if (next.done) {
      credits.release(slot!);
      isDone = true;
    } else flying.push({ patch: next.value, slot: slot! });
  };
  while (!(isDone && flying.length === 0)) {
    if (!isDone) asked ??= ask();
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    mostInside = Math.max(mostInside, session.presence.inside);
    const [done] = flying.splice(pick(flying.length), 1);
    if (!done) {
      await asked;
      continue;
    }
    const { patch, slot } = done;
    (patch.again ? again : given).push(place(patch.ref));
    const { col, row } = patch.ref;
    const scores = new Float32Array(plan.patchSize ** 2).fill(0.7);
    if (patch.again) twin.over(col, row);
    twin.add(col, row, scores);
    inferred.next({ ...patch, slot, read: TISSUE, inferred: { bits: new Uint8Array(), scores } });
    for (const { col: c, row: r } of refsOf(plan)) if (twin.isDue(c, r)) twin.take(c, r);
    mostOpen = Math.max(mostOpen, twin.open);
  }
  await session.drained;
  inferred.complete();
  return { given, again, settled, mostInside, mostOpen, free: credits.free };
}

const TISSUE = { outcome: 'tissue', validPixels: 9, tissuePixels: 5, seconds: 0 } as const;
const of_ = function* (refs: readonly PatchRef[]) {
  for (const ref of refs) yield { ref, at: 0 };
};
const sorted = (places: readonly number[]) => [...places].sort((a, b) => a - b);

const shapes = fc.record({
  cols: fc.integer({ min: 1, max: 9 }),
  rows: fc.integer({ min: 1, max: 9 }),
  slots: fc.integer({ min: 1, max: 5 }),
  seed: fc.integer(),
});
const shuffled = <T>(items: readonly T[], seed: number): T[] =>
  items
    .map((item, i) => ({ item, at: Math.imul(i + 1, seed | 1) >>> 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
const random = (seed: number) => {
  let state = seed >>> 0;
  return (many: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return many === 0 ? 0 : (state >>> 8) % many;
  };
};

describe('whatever the order in which patches become ready and the engine ends them', () => {
  test.each(['row by row', 'at random'])(
    '%s: each gets out once, and what waits is bounded by two rows and the credits',
    async order => {
      await fc.assert(
        fc.asyncProperty(shapes, async ({ cols, rows, slots, seed }) => {
          const { session } = await sessionOf({ plan: planOf(cols, rows) });
          const refs = refsOf(session.plan);
          const ready = order === 'at random' ? shuffled(refs, seed) : refs;
          const { given, again, settled, mostInside, mostOpen, free } = await course(
            session,
            ready,
            slots,
            random(seed),
          );
          expect(sorted(settled)).toEqual([...refs.keys()]);
          expect(sorted(given)).toEqual([...refs.keys()]);
          expect(again).toEqual([]);
          expect(mostInside).toBeLessThanOrEqual(cols + 3 + 2 * slots);
          expect(mostOpen).toBeLessThanOrEqual(2 * (cols + 3) + 11 * slots);
          expect(free).toBe(slots);
          expect(session.presence.inside).toBe(0);
        }),
        { numRuns: 30 },
      );
    },
  );

  test('a later start does what has no mask, and reads again those that touch it and no others', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.array(fc.boolean(), { minLength: 81, maxLength: 81 }),
        async ({ cols, rows, slots, seed }, done) => {
          const plan = planOf(cols, rows);
          const refs = refsOf(plan);
          const before = refs.filter((_, i) => done[i]);
          const { session } = await sessionOf({ plan }, before.map(recordOf));
          const { again, settled } = await course(session, shuffled(refs, seed), slots, random(seed));
          expect(sorted(settled)).toEqual([...refs.keys()].filter(i => !done[i]));
          const touches = (a: PatchRef, b: PatchRef) => Math.abs(a.col - b.col) <= 1 && Math.abs(a.row - b.row) <= 1;
          const needed = [...refs.keys()].filter(
            i => done[i] && refs.some((ref, j) => !done[j] && touches(ref, refs[i]!)),
          );
          // One that comes when all around it have their masks by now is not read again.
          expect(needed).toEqual(expect.arrayContaining(again));
          expect(sorted(again)).toEqual(needed);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('where some never come, those that touch them leave without an outcome, and all others get out', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.array(fc.boolean(), { minLength: 81, maxLength: 81 }),
        async ({ cols, rows, slots, seed }, comes) => {
          const { session } = await sessionOf({ plan: planOf(cols, rows) });
          const refs = refsOf(session.plan);
          const ready = shuffled(
            refs.filter((_, i) => comes[i]),
            seed,
          );
          const { settled, free } = await course(session, ready, slots, random(seed));
          const whole = (ref: PatchRef) =>
            refs.every(
              (other, i) => comes[i] || Math.abs(ref.col - other.col) > 1 || Math.abs(ref.row - other.row) > 1,
            );
          expect(sorted(settled)).toEqual([...refs.keys()].filter(i => comes[i] && whole(refs[i]!)));
          expect(free).toBe(slots);
          expect(session.presence.inside).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });
});

test('a slide that fails lets go of those that wait', async () => {
  const { session } = await sessionOf({ plan: planOf(3, 3) });
  const credits = new CreditPool(4);
  const out: InferredPatch[] = [];
  const inferred = new Subject<InferredPatch>();
  inferred.pipe(blend(credits, observer)).subscribe(patch => out.push(patch));
  const source = inWindow(session, of_(refsOf(session.plan)), 4, session.failed);
  for (let i = 0; i < 3; i++) {
    const { value } = await source.next();
    const slot = (await credits.acquire(never()))!;
    inferred.next({
      ...value!,
      slot,
      read: TISSUE,
      inferred: { bits: new Uint8Array(), scores: new Float32Array(64 * 64) },
    });
  }
  expect(session.presence.inside).toBe(3);
  expect(credits.free).toBe(4);
  session.failure = new Error('no room');
  await source.next();
  await session.drained;
  expect(session.presence.inside).toBe(0);
  expect(out).toEqual([]);
});

test('patches of slides that are not blended pass as they are', async () => {
  const { session } = await sessionOf();
  const patch = { session, ref: SLIDE.patches[0]!.ref, slot: 0, dueAt: 0, read: TISSUE } satisfies InferredPatch;
  const out: InferredPatch[] = [];
  of<InferredPatch>(patch)
    .pipe(blend(new CreditPool(1), observer))
    .subscribe(found => out.push(found));
  expect(out).toEqual([patch]);
});
