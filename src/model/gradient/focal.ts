import type { ProgramBuilder } from '../program/builder.js';
import { crossEntropy, perPixel } from './cross-entropy.js';
import { type LossTerms, type Scored, total } from './scored.js';

/**
 * Focal loss (Lin et al. 2017, arXiv:1708.02002) with γ = 2 and no α, as segmentation_models_pytorch's FocalLoss: the mean of
 * (1 − q)² · −log q, where q is the probability given to what is true. Its gradient by the logit is
 * ± (1 − q)² (2 q log q − (1 − q)), + where stroma is true.
 */
export function focal(p: ProgramBuilder, { logits, truth, valid }: Scored): LossTerms {
  const one = p.number(1);
  const part = p.mul(valid, perPixel(p, valid));
  const entropy = crossEntropy(p, logits, truth);
  const q = p.unary('exp', p.mul(entropy, -1));
  const miss = p.sub(one, q);
  const weight = p.mul(miss, miss);
  const sign = p.sub(p.mul(truth, 2), one);
  const slope = p.add(p.mul(p.mul(q, entropy), 2), miss);
  return {
    loss: total(p, p.mul(p.mul(weight, entropy), part)),
    gradient: p.mul(p.mul(p.mul(weight, slope), p.mul(sign, -1)), part),
  };
}
