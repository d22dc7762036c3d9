import type { OperatorFunction } from 'rxjs';
import { StromaflowError } from '../errors.js';
import { Blend } from '../mask/blend.js';
import type { CreditPool } from './credit.js';
import type { InferredPatch } from './item.js';
import { type Joint, meetNeighbours } from './neighbours.js';
import type { PipelineObserver } from './observer.js';
import type { SlideSession } from './session.js';

/** Gives patches that overlap the mask of what all that reach their cores say; others pass (see meetNeighbours). */
export const blend = (
  credits: CreditPool,
  observer: PipelineObserver,
): OperatorFunction<InferredPatch, InferredPatch> =>
  meetNeighbours(credits, observer, session => (session.plan.blended ? begin(session) : undefined));

/** What earlier starts did is over; what was empty then gives nothing, and what is needed again comes again. */
function begin(session: SlideSession): Joint<InferredPatch> {
  const { plan, resumed, engine } = session;
  const blend = new Blend(plan);
  for (const { col, row, outcome } of resumed)
    if (outcome === 'segmented') blend.over(col, row);
    else blend.skip(col, row, 'nothing');
  return {
    meet({ inferred, ...patch }) {
      const { ref, again, read } = patch;
      const { col, row } = ref;
      if (again) blend.over(col, row);
      if (inferred && 'bits' in inferred) {
        const { scores } = inferred;
        if (scores) blend.add(col, row, scores);
        else session.failure = new StromaflowError('INTERNAL', `${session.slide.id}: there are no scores to blend`);
        // Its probabilities are in the sums now.
        return patch;
      }
      blend.skip(col, row, read.outcome === 'failed' || inferred ? 'failed' : 'nothing');
      return undefined;
    },
    isDue: (col, row) => blend.isDue(col, row),
    finish(patch) {
      const { scores, without } = blend.take(patch.ref.col, patch.ref.row);
      return { ...patch, inferred: { ...decided(scores, plan, engine.threshold), without } };
    },
  };
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
