import { Observable, type OperatorFunction } from 'rxjs';
import { StromaflowError } from '../errors.js';
import { Blend } from '../mask/blend.js';
import type { CreditPool } from './credit.js';
import { type InferredPatch, NO_SLOT } from './item.js';
import type { PipelineObserver } from './observer.js';
import type { SlideSession } from './session.js';

/** The blend of one slide, and its patches that wait for neighbours. */
interface Blending {
  readonly blend: Blend;
  readonly waiting: Map<number, InferredPatch>;
}

/**
 * Lets patches that overlap wait until all that touch them are done, and gives each the mask of what was blended; others pass. Whoever
 * waits has given its slot back: how many may is the window's affair (see inWindow). What waits for neighbours that will not come in this start leaves
 * without an outcome, and is done again by the next.
 */
export function blend(credits: CreditPool, observer: PipelineObserver): OperatorFunction<InferredPatch, InferredPatch> {
  return source =>
    new Observable(subscriber => {
      const all = new Map<SlideSession, Blending>();
      const blendingOf = (session: SlideSession): Blending => {
        const known = all.get(session);
        if (known) return known;
        const begun = begin(session);
        all.set(session, begun);
        session.failed.addEventListener('abort', () => letGo(session), { once: true });
        void session.drained.then(() => letGo(session));
        return begun;
      };
      /** Nothing of the slide comes any more. */
      const letGo = (session: SlideSession): void => {
        const { waiting } = all.get(session) ?? {};
        all.delete(session);
        session.wait(0);
        for (const _ of waiting ?? []) session.leave();
      };
      const give = (slot: number): void => {
        credits.release(slot);
        observer.credits(credits.free, credits.total, 0);
      };
      /** Gives the slide's blend what came; whatever can leave now. */
      const meet = (patch: InferredPatch): InferredPatch[] => {
        const { session, ref, slot, inferred, again } = patch;
        const { col, row } = ref;
        const { blend, waiting } = blendingOf(session);
        const scores = scoresOf(patch);
        if (scores) blend.add(col, row, scores);
        else blend.skip(col, row, patch.read.outcome === 'failed' || inferred ? 'failed' : 'nothing');
        if (scores && !again) waiting.set(row * session.plan.cols + col, withoutPixels(patch));
        const due = dueOf(session, blend, waiting, col, row);
        session.wait(waiting.size);
        if (scores || again) give(slot);
        if (again) session.leave();
        return scores || again ? due : [patch, ...due];
      };
      const take = (patch: InferredPatch): void => {
        const { session } = patch;
        const { plan } = session;
        if (plan.blended && !session.failure && lacksScores(patch))
          session.failure = new StromaflowError('INTERNAL', `${session.slide.id}: there are no scores to blend`);
        const leaving = plan.blended && !session.failure ? meet(patch) : [patch];
        for (const each of leaving) subscriber.next(each);
      };
      return source.subscribe({
        next: take,
        error: error => subscriber.error(error),
        complete: () => {
          for (const session of [...all.keys()]) letGo(session);
          subscriber.complete();
        },
      });
    });
}

const scoresOf = ({ inferred }: InferredPatch): Float32Array | undefined =>
  inferred && 'bits' in inferred ? inferred.scores : undefined;

const lacksScores = (patch: InferredPatch): boolean =>
  patch.inferred !== undefined && 'bits' in patch.inferred && scoresOf(patch) === undefined;

/** What earlier starts did is over; what was empty then gives nothing, and what is needed again comes again. */
function begin({ plan, resumed }: SlideSession): Blending {
  const blend = new Blend(plan);
  for (const { col, row, outcome } of resumed)
    if (outcome === 'segmented') blend.over(col, row);
    else blend.skip(col, row, 'nothing');
  return { blend, waiting: new Map() };
}

/** Pixels, and the probabilities that are in the sums now, are not kept. */
function withoutPixels({ inferred: _, ...patch }: InferredPatch): InferredPatch {
  return { ...patch, slot: NO_SLOT };
}

/** Takes out what is due around a patch, in reading order. */
function dueOf(
  { plan, engine }: SlideSession,
  blend: Blend,
  waiting: Map<number, InferredPatch>,
  col: number,
  row: number,
): InferredPatch[] {
  const due: InferredPatch[] = [];
  for (let r = row - 1; r <= row + 1; r++)
    for (let c = col - 1; c <= col + 1; c++) {
      const at = r * plan.cols + c;
      const patch = c >= 0 && c < plan.cols ? waiting.get(at) : undefined;
      if (!patch || !blend.isDue(c, r)) continue;
      waiting.delete(at);
      const { scores, without } = blend.take(c, r);
      due.push({ ...patch, inferred: { ...decided(scores, plan, engine.threshold), without } });
    }
  return due;
}

/** The patch's mask and bytes of probability as an engine gives them, with nothing in the margin, which is not published. */
function decided(
  scores: Float32Array,
  { patchSize, margin, core }: SlideSession['plan'],
  threshold: number,
): { bits: Uint8Array; probabilities: Uint8Array } {
  const bits = new Uint8Array(patchSize ** 2 / 8);
  const probabilities = new Uint8Array(patchSize ** 2);
  for (let y = 0, i = 0; y < core; y++)
    for (let x = 0, at = (y + margin) * patchSize + margin; x < core; x++, i++, at++) {
      probabilities[at] = Math.round(scores[i]! * 255);
      if (scores[i]! > threshold) bits[at >> 3]! |= 0x80 >> (at & 7);
    }
  return { bits, probabilities };
}
