import type { ReadyPatch } from '../live/due-patches.js';
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
 * @param ready patches that can be read; a patch that has not come when it ends is not done in this start
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

  const ask = async (): Promise<void> => {
    const item = await iterator.next();
    asked = undefined;
    if (item.done) {
      isEnded = true;
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
    if (session.inside < most && came.has(next)) return takeOut(next);
    if (session.inside >= ahead) return undefined;
    const [first] = came.keys();
    return first === undefined ? undefined : takeOut(first);
  };

  try {
    while (!(stop.aborted || session.failure)) {
      const patch = choose();
      if (patch) {
        session.enter();
        yield patch;
        continue;
      }
      // Where nothing moves, what came waits for what will not come.
      if (isEnded && (came.size === 0 || session.isStill)) return;
      if (!isEnded) asked ??= ask();
      await Promise.race([stopped, session.changed(), ...(asked ? [asked] : [])]);
    }
  } catch (error) {
    session.fail(error);
  } finally {
    session.endOfDue();
    void iterator.return?.();
  }
}

/** It has a mask, and one that touches it has no outcome. */
function isNeededAgain(session: SlideSession, col: number, row: number): boolean {
  const { aggregate, plan } = session;
  if (!session.wasSegmented(col, row)) return false;
  for (let r = Math.max(0, row - 1); r <= Math.min(plan.rows - 1, row + 1); r++)
    for (let c = Math.max(0, col - 1); c <= Math.min(plan.cols - 1, col + 1); c++)
      if (!aggregate.has(c, r)) return true;
  return false;
}
