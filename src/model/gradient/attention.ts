import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/**
 * P = softmax(c Q Kᵀ), O = P V, a stack of matrices, one a patch and head. With S for c Q Kᵀ and ⟨·⟩ for sums over a row,
 *
 *     ∂V = Pᵀ ∂O,  ∂P = ∂O Vᵀ,  ∂S = P (∂P − ⟨∂O O⟩),  ∂Q = c ∂S K,  ∂K = c ∂Sᵀ Q
 *
 * ⟨∂P P⟩ = ⟨∂O O⟩, which is the shorter sum (Dao et al. 2022, arXiv:2205.14135).
 */
export function attention({ p }: Context, [queries, both]: readonly [Term, Term], heads: number): Taped {
  const channels = queries.shape[1]!;
  const scale = (channels / heads) ** -0.5;
  const q = p.mul(p.headRows(queries, heads), p.stackNumber(scale));
  const k = p.headRows(p.channels(both, 0, channels), heads);
  const v = p.headRows(p.channels(both, channels, channels), heads);
  const weights = p.softmax(p.stackMul(q, k, 'b'));
  const found = p.stackMul(weights, v);
  return {
    output: p.headImage(found, heads, queries),
    backward(gradient, [wantsQueries, wantsBoth]) {
      const above = p.headRows(gradient, heads);
      const through = p.sub(p.stackMul(above, v, 'b'), p.sum(p.mul(above, found), [2]));
      const scores = p.mul(weights, through);
      const asImage = (stack: Term, like: Term) => p.headImage(stack, heads, like);
      const byKeys = () => asImage(p.stackMul(scores, q, 'a'), both);
      const byValues = () => asImage(p.stackMul(weights, above, 'a'), both);
      return [
        wantsQueries ? asImage(p.mul(p.stackMul(scores, k), p.stackNumber(scale)), queries) : undefined,
        wantsBoth ? p.concat([byKeys(), byValues()]) : undefined,
      ];
    },
  };
}
