import type { TrainBatch } from './port.js';
import type { PseudoRecipe } from './recipe.js';
import { IGNORED_LABEL } from './rescale.js';

/** A batch with a teacher's labels, and how many of its pixels have one. */
export interface PseudoBatch {
  readonly batch: TrainBatch;
  readonly confident: number;
  /** Pixels that a label was asked for: those of the slide. */
  readonly offered: number;
}

/**
 * Labels of the pixels that a teacher is sure of; the others are ignored, as are those outside of the slide.
 * @param batch its labels say which pixels are of the slide: IGNORED_LABEL is none
 * @param probabilities of stroma, one a pixel
 */
export function pseudoLabels(batch: TrainBatch, probabilities: Float32Array, threshold: number): PseudoBatch {
  const labels = new Uint8Array(batch.labels.length).fill(IGNORED_LABEL);
  let confident = 0;
  let offered = 0;
  for (let i = 0; i < labels.length; i++) {
    if (batch.labels[i] === IGNORED_LABEL) continue;
    offered++;
    const p = probabilities[i]!;
    if (p < threshold && p > 1 - threshold) continue;
    labels[i] = p >= threshold ? 1 : 0;
    confident++;
  }
  return { batch: { ...batch, labels }, confident, offered };
}

/**
 * Weight of pseudo-labels: exp(−5 (1 − t)²) of the full one, t going from 0 to 1 over the ramp (Laine & Aila 2017, arXiv:1610.02242).
 * @param epochs learned so far, with a fraction
 */
export function pseudoWeight({ weight, ramp }: PseudoRecipe, epochs: number): number {
  const left = ramp === 0 ? 0 : Math.max(0, 1 - epochs / ramp);
  return weight * Math.exp(-5 * left * left);
}
