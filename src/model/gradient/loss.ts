import type { ProgramBuilder } from '../program/builder.js';
import { binaryCrossEntropy } from './cross-entropy.js';
import { dice } from './dice.js';
import { focal } from './focal.js';
import type { LossTerms, Scored } from './scored.js';

export type Loss = 'dice' | 'bce-dice' | 'focal';

export function lossOf(p: ProgramBuilder, loss: Loss, scored: Scored): LossTerms {
  if (loss === 'dice') return dice(p, scored);
  if (loss === 'focal') return focal(p, scored);
  const [a, b] = [binaryCrossEntropy(p, scored), dice(p, scored)];
  return { loss: p.add(a.loss, b.loss), gradient: p.add(a.gradient, b.gradient) };
}
