import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/**
 * P = softmax over all of S = C Tᵀ, M = P B, of matrices with a row a pixel, and M's memory read as the output. With ⟨·⟩ for the sum over all,
 *
 *     ∂B = Pᵀ ∂M,  ∂P = ∂M Bᵀ,  ∂S = P (∂P − ⟨∂M M⟩),  ∂C = ∂S T,  ∂T = ∂Sᵀ C
 */
export function positionAttention({ p }: Context, [top, centre, bottom]: readonly [Term, Term, Term]): Taped {
  const [t, c, b] = [top, centre, bottom].map(image => p.headRows(image, 1)) as [Term, Term, Term];
  const scores = p.stackMul(c, t, 'b');
  const [n, pixels] = scores.shape as [number, number];
  const weights = p.reshape(p.softmax(p.reshape(scores, [n, 1, pixels * pixels])), scores.shape);
  const found = p.stackMul(weights, b);
  return {
    output: p.reshape(found, bottom.shape),
    backward(gradient, [wantsTop, wantsCentre, wantsBottom]) {
      const above = p.reshape(gradient, found.shape);
      const through = p.sub(p.stackMul(above, b, 'b'), p.sum(p.mul(above, found), [1, 2]));
      const slope = p.mul(weights, through);
      return [
        wantsTop ? p.headImage(p.stackMul(slope, c, 'a'), 1, top) : undefined,
        wantsCentre ? p.headImage(p.stackMul(slope, t), 1, centre) : undefined,
        wantsBottom ? p.headImage(p.stackMul(weights, above, 'a'), 1, bottom) : undefined,
      ];
    },
  };
}
