import { StromaflowError } from '../../errors.js';
import type { BatchNorm, GroupNormNode, LayerNormNode } from '../graph/graph.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/**
 * Batch normalisation: by the batch's statistics, which are kept for the running ones, or by the stored ones.
 * @throws MODEL_UNSUPPORTED where the batch has one value a channel: it has no spread, and would be shifted to 0 without a word
 */
export function batchNorm(context: Context, norm: BatchNorm, x: Term): Taped {
  const { p } = context;
  const { name, epsilon, groups } = norm;
  if (groups !== undefined || !context.usesBatch(name)) return storedNorm(context, norm, x);
  const [n, , height, width] = x.shape as [number, number, number, number];
  const count = n * height * width;
  if (count === 1)
    throw new StromaflowError('MODEL_UNSUPPORTED', `${name} gets one value a channel from a batch of one patch`, {
      fix: 'train with --batch 2 or more, or with the stored statistics of its norms',
    });
  const average = (sums: Term) => p.mul(p.sum(sums, [0]), 1 / count);
  const keep = (mean: Term, variance: Term) =>
    context.keepStatistics(name, mean, p.mul(variance, count / Math.max(1, count - 1)));
  return normalised(context, { name, epsilon }, x, average, keep);
}

/** Statistics of each patch, over a group's channels and pixels. */
export function groupNorm(context: Context, { name, epsilon, groups }: GroupNormNode, x: Term): Taped {
  const { p } = context;
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const count = (channels / groups) * height * width;
  const average = (sums: Term) => p.mul(groups === channels ? sums : p.groupSum(sums, groups), 1 / count);
  return normalised(context, { name, epsilon }, x, average, () => {});
}

/**
 * x̂ = (x − μ) r with r = 1 / √(σ² + ε), y = w x̂ + b. With ⟨·⟩ for the average that made μ and σ²,
 *
 *     ∂x = r (w ∂y − ⟨w ∂y⟩ − x̂ ⟨w ∂y x̂⟩),  ∂w = Σ ∂y x̂,  ∂b = Σ ∂y
 *
 * `average` gets sums over a channel's pixels [N, C, 1, 1]. The variance is that of the centred values: ⟨x²⟩ − ⟨x⟩² loses digits.
 */
function normalised(
  context: Context,
  { name, epsilon }: { name: string; epsilon: number },
  x: Term,
  average: (sums: Term) => Term,
  keep: (mean: Term, variance: Term) => void,
): Taped {
  const { p } = context;
  const weight = context.parameter(`${name}.weight`);
  const bias = context.parameter(`${name}.bias`);
  const mean = average(p.sum(x, [2, 3]));
  const centred = p.sub(x, mean);
  const variance = average(p.sum(centred, [2, 3], 'sumSquares'));
  keep(mean, variance);
  const r = p.unary('rsqrt', p.add(variance, p.number(epsilon)));
  const scale = p.mul(r, weight);
  return {
    output: p.add(p.mul(centred, scale), bias),
    backward(gradient, [wantsInput]) {
      const sums = p.sum(gradient, [2, 3]);
      const products = p.mul(p.sum(p.mul(gradient, centred), [2, 3]), r);
      if (context.isTrained(`${name}.weight`)) context.addGradient(`${name}.weight`, p.sum(products, [0]));
      if (context.isTrained(`${name}.bias`)) context.addGradient(`${name}.bias`, p.sum(sums, [0]));
      if (!wantsInput) return [undefined];
      const constant = p.mul(r, average(p.mul(sums, weight)));
      const slope = p.mul(p.mul(r, r), average(p.mul(products, weight)));
      return [p.sub(p.sub(p.mul(gradient, scale), p.mul(centred, slope)), constant)];
    },
  };
}

/** Statistics of each pixel, over its channels; the gradients are those of normalised. */
export function layerNorm(context: Context, { name, epsilon }: LayerNormNode, x: Term): Taped {
  const { p } = context;
  const weight = context.parameter(`${name}.weight`);
  const average = (values: Term) => p.mul(p.sum(values, [1]), 1 / x.shape[1]!);
  const centred = p.sub(x, average(x));
  const variance = p.mul(p.sum(centred, [1], 'sumSquares'), 1 / x.shape[1]!);
  const r = p.unary('rsqrt', p.add(variance, p.number(epsilon)));
  const normal = p.mul(centred, r);
  return {
    output: p.add(p.mul(normal, weight), context.parameter(`${name}.bias`)),
    backward(gradient, [wantsInput]) {
      if (context.isTrained(`${name}.weight`))
        context.addGradient(`${name}.weight`, p.sum(p.mul(gradient, normal), [0, 2, 3]));
      if (context.isTrained(`${name}.bias`)) context.addGradient(`${name}.bias`, p.sum(gradient, [0, 2, 3]));
      if (!wantsInput) return [undefined];
      const weighted = p.mul(gradient, weight);
      const slope = p.mul(normal, average(p.mul(weighted, normal)));
      return [p.mul(p.sub(p.sub(weighted, average(weighted)), slope), r)];
    },
  };
}

/** The statistics are numbers: y = (x − mean) w / √(variance + ε) + b. */
function storedNorm(context: Context, { name, epsilon }: BatchNorm, x: Term): Taped {
  const { p } = context;
  const weight = context.parameter(`${name}.weight`);
  const r = p.unary('rsqrt', p.add(context.parameter(`${name}.running_var`), p.number(epsilon)));
  const scale = p.mul(r, weight);
  const mean = context.parameter(`${name}.running_mean`);
  const shift = p.sub(context.parameter(`${name}.bias`), p.mul(mean, scale));
  return {
    output: p.add(p.mul(x, scale), shift),
    backward(gradient, [wantsInput]) {
      if (context.isTrained(`${name}.bias`)) context.addGradient(`${name}.bias`, p.sum(gradient, [0, 2, 3]));
      if (context.isTrained(`${name}.weight`))
        context.addGradient(`${name}.weight`, p.mul(p.sum(p.mul(gradient, p.sub(x, mean)), [0, 2, 3]), r));
      return [wantsInput ? p.mul(gradient, scale) : undefined];
    },
  };
}
