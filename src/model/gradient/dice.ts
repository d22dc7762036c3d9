import type { ProgramBuilder } from '../program/builder.js';
import { type LossTerms, type Scored, total } from './scored.js';

/** Below this the sum of a batch's probabilities and stroma counts as this; smp's `eps`. */
const EPSILON = 1e-7;

/**
 * Dice loss over the whole batch (segmentation_models_pytorch's DiceLoss in mode 'binary', from_logits, smooth 0):
 * 1 − 2 Σ p t / (Σ p + Σ t), and 0 for a batch without stroma. Its gradient by p is −(2 t U − 2 I) / U² with I = Σ p t, U = Σ p + Σ t.
 */
export function dice(p: ProgramBuilder, { logits, truth, valid }: Scored): LossTerms {
  const sigmoid = p.unary('sigmoid', logits);
  const probability = p.mul(sigmoid, valid);
  const positives = total(p, truth);
  const intersection = total(p, p.mul(probability, truth));
  const cardinality = p.binary('max', p.add(total(p, probability), positives), p.number(EPSILON));
  const inverse = p.unary('reciprocal', cardinality);
  // Positives are whole numbers: 0, or at least 1.
  const any = p.unary('step', p.sub(positives, p.number(0.5)));
  const score = p.mul(p.mul(intersection, inverse), 2);
  const one = p.number(1);
  const slope = p.mul(p.mul(inverse, any), -1);
  const byProbability = p.mul(p.sub(p.mul(truth, 2), score), slope);
  return {
    loss: p.mul(p.sub(one, score), any),
    gradient: p.mul(byProbability, p.mul(probability, p.sub(one, sigmoid))),
  };
}
