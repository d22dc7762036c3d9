import type { ReadyPatch } from '../live/due-patches.js';
import { patchesAround } from '../read/plan.js';
import type { DuePatch, SlideSession } from './session.js';

/**
 * The patches of a slide that are blended with their neighbours (blend.ts), in an order that bounds how many wait for each other: row by row, and ahead of
 * that, in whatever order they become ready, no more than `ahead`.
 *
 * What holds memory: at most cols + 3 + 2 × `ahead` patches have been given out and have not left. A patch waits for others only while one of its neighbours is
 * not done. Of what was given out row by row, up to a place i, everything before i − cols − 1 has all its neighbours before i, so that once the engine is done with
 * those it leaves; what was given out ahead is no more than `ahead`. So there is always room for the patch at i, and sums are kept (see Blend) of at most
 * 2 (cols + 3) + 11 × `ahead` cores: each belongs to one that waits or touches one.
 *
 * Besides patches without an outcome those are given out, marked `again`, that have one but touch one that has not: what they give to it is not kept.
 *
 * @param ready patches that can be read. When it ends, those that have not come are not done in this start, nor are those that touch them: these are given out,
 * marked `again`, only where others need them, and those that wait already take no room from others
 * @param ahead ≥ 1; as many as the graph has credits keep it busy
 * @param stop ends it
 */
export async function* inWindow(
  session: SlideSession,
  ready: AsyncIterable<ReadyPatch> | Iterable<ReadyPatch>,
  ahead: number,
  stop: AbortSignal,
): AsyncGenerator<DuePatch, void, undefined> {
  const { cols, rows } = session.plan;
  const most = cols + 3 + 2 * ahead;
  const iterator = Symbol.asyncIterator in ready ? ready[Symbol.asyncIterator]() : ready[Symbol.iterator]();
  const stopped = new Promise<void>(resolve => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  /** By place, those that came and were not given out. */
  const came = new Map<number, DuePatch>();
  const isPast = new Uint8Array(cols * rows);
  let next = 0;
  let asked: Promise<void> | undefined;
  let isEnded = false;
  let stuck = 0;

  const ask = async (): Promise<void> => {
    const item = await iterator.next();
    asked = undefined;
    if (item.done) {
      isEnded = true;
      stuck = leaveHopeless(session, isPast, came);
      return;
    }
    const { ref, at } = item.value;
    const place = ref.row * cols + ref.col;
    const again = session.aggregate.has(ref.col, ref.row);
    if (isPast[place] || (again && !isNeededAgain(session, ref.col, ref.row))) isPast[place] = 1;
    else came.set(place, { session, ref, dueAt: at, ...(again && { again }) });
  };
  const takeOut = (place: number): DuePatch | undefined => {
    const patch = came.get(place);
    came.delete(place);
    if (patch) isPast[place] = 1;
    return patch;
  };
  const choose = (): DuePatch | undefined => {
    while (next < isPast.length && (isPast[next] || (isEnded && !came.has(next)))) next++;
    if (session.presence.inside - stuck < most && came.has(next)) return takeOut(next);
    if (session.presence.inside - stuck >= ahead) return undefined;
    const [first] = came.keys();
    return first === undefined ? undefined : takeOut(first);
  };

  try {
    while (!(stop.aborted || session.failure)) {
      const patch = choose();
      if (patch) {
        session.presence.enter();
        yield patch;
        continue;
      }
      // Where nothing moves, what came waits for what will not come.
      if (isEnded && (came.size === 0 || session.presence.isStill)) return;
      if (!isEnded) asked ??= ask();
      await Promise.race([stopped, session.presence.changed(), ...(asked ? [asked] : [])]);
    }
  } catch (error) {
    session.fail(error);
  } finally {
    session.endOfDue();
    void iterator.return?.();
  }
}

/**
 * No more come: of those that wait to be given out the ones that can get no outcome are left out, or marked.
 *
 * @returns how many of those that were given out will wait in vain
 */
function leaveHopeless(session: SlideSession, isPast: Uint8Array, came: Map<number, DuePatch>): number {
  const { aggregate, plan } = session;
  const colRow = (place: number) => [place % plan.cols, Math.floor(place / plan.cols)] as const;
  const placesAround = (place: number) => [...patchesAround(plan, ...colRow(place))].map(([c, r]) => r * plan.cols + c);
  const isDone = (place: number) => aggregate.has(...colRow(place));
  const comes = (place: number) =>
    isPast[place] === 1 || came.has(place) || (isDone(place) && !session.wasSegmented(...colRow(place)));
  const isHopeless = isPast.map((_, place) => (placesAround(place).every(comes) ? 0 : 1));
  const isToCome = (place: number) => isHopeless[place] === 0 && !isDone(place);
  let stuck = 0;
  for (const place of isPast.keys()) {
    const patch = came.get(place);
    if (isHopeless[place] === 0 || patch?.again) continue;
    if (isPast[place] === 1 && !isDone(place)) stuck += 1;
    if (!patch) continue;
    if (placesAround(place).some(isToCome)) came.set(place, { ...patch, again: true });
    else came.delete(place);
  }
  return stuck;
}

/** It has a mask, and one that touches it has no outcome. */
function isNeededAgain(session: SlideSession, col: number, row: number): boolean {
  if (!session.wasSegmented(col, row)) return false;
  return [...patchesAround(session.plan, col, row)].some(([c, r]) => !session.aggregate.has(c, r));
}
