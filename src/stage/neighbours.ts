import { Observable, type OperatorFunction } from 'rxjs';
import type { CreditPool } from './credit.js';
import { type CreditedPatch, NO_SLOT } from './item.js';
import type { PipelineObserver } from './observer.js';
import type { SlideSession } from './session.js';

/** What patches of one slide that touch each other make together. */
export interface Joint<P extends CreditedPatch> {
  /** Takes in what a patch gives; what of it waits for its part. Undefined: it gives nothing, and passes as it is. */
  meet(patch: P): P | undefined;
  isDue(col: number, row: number): boolean;
  /** A patch that is due, with its part; to be asked for once. */
  finish(patch: P): P;
}

/**
 * Lets patches wait until all that touch them are done, and gives each its part of what they make together; of slides without a joint they pass. Whoever
 * waits has given its slot back: how many may is the window's affair (see inWindow). What waits for neighbours that will not come in this start leaves
 * without an outcome, and is done again by the next.
 *
 * @param begin the joint of a slide; undefined where its patches pass
 */
export function meetNeighbours<P extends CreditedPatch>(
  credits: CreditPool,
  observer: PipelineObserver,
  begin: (session: SlideSession) => Joint<P> | undefined,
): OperatorFunction<P, P> {
  return source =>
    new Observable(subscriber => {
      const all = new Map<SlideSession, { readonly joint: Joint<P>; readonly waiting: Map<number, P> }>();
      const meetingOf = (session: SlideSession) => {
        const known = all.get(session);
        if (known) return known;
        const joint = begin(session);
        if (!joint) return undefined;
        const meeting = { joint, waiting: new Map<number, P>() };
        all.set(session, meeting);
        session.failed.addEventListener('abort', () => letGo(session), { once: true });
        void session.drained.then(() => letGo(session));
        return meeting;
      };
      /** Nothing of the slide comes any more. */
      const letGo = (session: SlideSession): void => {
        const { waiting } = all.get(session) ?? {};
        all.delete(session);
        session.presence.wait(0);
        for (const _ of waiting ?? []) session.leave();
      };
      const give = (slot: number): void => {
        credits.release(slot);
        observer.credits(credits.empty, credits.total, 0);
      };
      /** What can leave now that this patch came. */
      const take = (patch: P): readonly P[] => {
        const { session, ref, slot, again } = patch;
        const meeting = session.failure ? undefined : meetingOf(session);
        if (!meeting) return [patch];
        const { joint, waiting } = meeting;
        const waiter = joint.meet(patch);
        // What it lacks fails the slide.
        if (session.failure) return [patch];
        const { cols } = session.plan;
        if (waiter && !again) waiting.set(ref.row * cols + ref.col, { ...waiter, slot: NO_SLOT });
        const due: P[] = [];
        for (let row = ref.row - 1; row <= ref.row + 1; row++)
          for (let col = ref.col - 1; col <= ref.col + 1; col++) {
            const near = col >= 0 && col < cols ? waiting.get(row * cols + col) : undefined;
            if (!near || !joint.isDue(col, row)) continue;
            waiting.delete(row * cols + col);
            due.push(joint.finish(near));
          }
        session.presence.wait(waiting.size);
        if (waiter || again) give(slot);
        if (again) session.leave();
        return waiter || again ? due : [patch, ...due];
      };
      return source.subscribe({
        next: patch => {
          for (const leaving of take(patch)) subscriber.next(leaving);
        },
        error: error => subscriber.error(error),
        complete: () => {
          for (const session of [...all.keys()]) letGo(session);
          subscriber.complete();
        },
      });
    });
}
