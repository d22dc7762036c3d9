/** Moments of a parameter's gradient; as many as it has numbers. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export interface AdamOptions {
  readonly rate: number;
  /** Steps taken, this one included; from 1. */
  readonly step: number;
  readonly weightDecay: number;
  /** AdamW: the decay shrinks the weights themselves, and does not go through the moments. */
  readonly decoupled: boolean;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/**
 * One step of Adam (Kingma & Ba 2015, arXiv:1412.6980) or AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), as torch.optim does
 * it: moments corrected for their start at 0, ε added to the root of the corrected second one. Changes weights and moments.
 */
export function adam(weights: Float32Array, gradient: Float32Array, moments: Moments, options: AdamOptions): void {
  const { rate, step, weightDecay, decoupled } = options;
  const { first, second } = moments;
  const size = rate / (1 - BETA1 ** step);
  const root = 1 / Math.sqrt(1 - BETA2 ** step);
  const shrink = decoupled ? 1 - rate * weightDecay : 1;
  const added = decoupled ? 0 : weightDecay;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    const g = gradient[i]! + added * weight;
    const m = BETA1 * first[i]! + (1 - BETA1) * g;
    const v = BETA2 * second[i]! + (1 - BETA2) * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = weight * shrink - (size * m) / (Math.sqrt(v) * root + EPSILON);
  }
}
