import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/** σ′ = σ (1 − σ). */
export function sigmoid({ p }: Context, x: Term): Taped {
  const output = p.unary('sigmoid', x);
  return { output, backward: gradient => [p.mul(gradient, p.mul(output, p.sub(p.number(1), output)))] };
}
