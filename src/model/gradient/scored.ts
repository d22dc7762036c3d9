import type { ProgramBuilder } from '../program/builder.js';
import type { Term } from '../program/words.js';

/** Logits [N, 1, H, W], and images of 0 and 1 beside them: stroma (0 where a pixel is ignored), and which pixels count. */
export interface Scored {
  readonly logits: Term;
  readonly truth: Term;
  readonly valid: Term;
}

/** The loss, a number [1, 1, 1, 1], and its gradient by the logits. */
export interface LossTerms {
  readonly loss: Term;
  readonly gradient: Term;
}

/** Sum over everything; each patch by itself first, which keeps more digits. */
export function total(p: ProgramBuilder, x: Term): Term {
  return p.sum(p.sum(x, [2, 3]), [0, 1]);
}
