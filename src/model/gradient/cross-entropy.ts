import type { ProgramBuilder } from '../program/builder.js';
import type { Term } from '../program/words.js';
import { type LossTerms, type Scored, total } from './scored.js';

/** Binary cross-entropy of the pixels that count, their mean. Its gradient by the logit is (p − t) / count. */
export function binaryCrossEntropy(p: ProgramBuilder, scored: Scored): LossTerms {
  const { logits, truth, valid } = scored;
  const part = p.mul(valid, perPixel(p, valid));
  return {
    loss: total(p, p.mul(crossEntropy(p, logits, truth), part)),
    gradient: p.mul(p.sub(p.unary('sigmoid', logits), truth), part),
  };
}

/** 1 / the number of pixels that count. */
export function perPixel(p: ProgramBuilder, valid: Term): Term {
  return p.unary('reciprocal', p.binary('max', total(p, valid), p.number(1)));
}

/** −log p of a stroma pixel, −log (1 − p) of another: max(z, 0) − z t + log(1 + e^−|z|), which no logit overflows. */
export function crossEntropy(p: ProgramBuilder, logits: Term, truth: Term): Term {
  const positive = p.unary('relu', logits);
  const negative = p.unary('relu', p.mul(logits, -1));
  const tail = p.unary('log', p.add(p.unary('exp', p.mul(p.add(positive, negative), -1)), p.number(1)));
  return p.add(p.sub(positive, p.mul(logits, truth)), tail);
}
