import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/**
 * Dropout of whole channels in front of a layer (Tompson et al. 2015, arXiv:1411.4280; PyTorch's Dropout2d): `mask` [N, C, 1, 1] is 0, or
 * 1 / (1 − chance) so that the mean stays. The gradient goes the same way.
 */
export function dropped({ p }: Context, mask: Term, x: Term, layer: (input: Term) => Taped): Taped {
  const { output, backward } = layer(p.mul(x, mask));
  return {
    output,
    backward(gradient, wanted) {
      const [made] = backward(gradient, wanted);
      return [made && p.mul(made, mask)];
    },
  };
}
