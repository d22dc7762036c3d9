import type { Decision } from '../decision.js';
import type { InputNormalisation } from '../manifest.js';
import { type Tta, viewsOf } from '../views.js';
import { intoViews, meanOfViews } from './views.js';
import type { OnnxWriter } from './writer.js';

/** Names of a compiled model's input and outputs; a slash keeps them apart from those of a ready graph. */
export const PORTS = {
  patches: 'stromaflow/patches',
  mask: 'stromaflow/mask',
  counts: 'stromaflow/counts',
  /** float32 [N]: a number while every score of the patch is one; see scoreSums. */
  sums: 'stromaflow/sums',
  logits: 'stromaflow/logits',
  probabilities: 'stromaflow/probabilities',
  /** float32 [N, H, W]: the probability that is compared with the threshold. */
  scores: 'stromaflow/scores',
  /** Only while a model is quantised: see emitRanges. */
  ranges: 'stromaflow/ranges',
  /** Only while norms are frozen: see emitMoments. */
  moments: 'stromaflow/moments',
} as const;

/**
 * Bytes [N, H, W, 3] → float32 [N, 3, H, W], whose name is returned: byte / 255 × range, minus mean, over std. With `tta` every view
 * of all of them: [views × N, 3, H, W].
 */
export function preprocess(out: OnnxWriter, input: InputNormalisation, output: string, tta?: Tta): string {
  if (tta === undefined) return normalise(out, input, output);
  return intoViews(out, normalise(out, input), viewsOf(tta), output);
}

function normalise(out: OnnxWriter, { range, mean, std }: InputNormalisation, output?: string): string {
  const scale = std.map(deviation => range[1] / 255 / deviation);
  const shift = mean.map((value, c) => -value / std[c]!);
  const planes = out.node('Transpose', [PORTS.patches], { perm: [0, 3, 1, 2] });
  const pixels = out.cast(planes, 'float');
  const scaled = out.node('Mul', [pixels, out.floats('pixel_scale', scale, [1, 3, 1, 1])]);
  return out.node('Add', [scaled, out.floats('pixel_shift', shift, [1, 3, 1, 1])], {}, output);
}

/** What a compiled model gives besides mask, counts, sums and logits. */
export interface Extras {
  /** The probabilities, uint8 [N, H, W] of round(255 p). */
  readonly probabilities?: boolean;
  /** The same as float32. */
  readonly scores?: boolean;
  /** The mean over views of each patch decides; logits are those of the patch itself. */
  readonly tta?: Tta | undefined;
}

/**
 * `scores` [N, classes, H, W], logits or probabilities as the decision says, with `tta` of every view → mask, counts, sums and logits, and
 * what else is asked for of what is compared with the threshold.
 */
export function decide(
  out: OnnxWriter,
  scores: string,
  classes: number,
  decision: Decision,
  { probabilities = false, scores: asFloats = false, tta }: Extras = {},
): void {
  const { rule, channels, bar, threshold } = decision;
  const all = channels.length === classes;
  const picked = (from: string) =>
    all ? from : out.node('Gather', [from, out.integers('positive_classes', channels)], { axis: 1 });

  let score: string;
  if (rule === 'any') score = out.over(channels.length === 1 ? 'Squeeze' : 'ReduceMax', picked(scores), [1]);
  else if (decision.of === 'probabilities') score = out.over('ReduceSum', picked(scores), [1]);
  else score = out.over('ReduceSum', picked(out.node('Softmax', [scores], { axis: 1 })), [1]);

  const toProbability = () => (rule === 'any' && decision.of === 'logits' ? out.node('Sigmoid', [score]) : score);
  const views = viewsOf(tta);
  let probability: string | undefined;
  if (views.length > 1) score = probability = meanOfViews(out, toProbability(), views);
  else if (probabilities || asFloats) probability = toProbability();

  const above = out.node('Greater', [score, out.floats('bar', [views.length > 1 ? threshold : bar], [])]);
  out.cast(above, 'uint8', PORTS.mask);
  // Ones are summed as floats, which every engine can; exact up to 2^24 pixels, a patch of 4096 × 4096.
  const ones = out.over('ReduceSum', out.cast(above, 'float'), [1, 2]);
  out.cast(ones, 'int32', PORTS.counts);
  if (views.length === 1) {
    scoreSums(out, scores, PORTS.sums);
    out.node('Identity', [scores], {}, PORTS.logits);
  } else {
    const sums = out.split(scoreSums(out, scores), views.length).reduce((sum, part) => out.node('Add', [sum, part]));
    out.node('Identity', [sums], {}, PORTS.sums);
    out.node('Identity', [out.split(scores, views.length)[0]!], {}, PORTS.logits);
  }
  if (asFloats) out.node('Identity', [probability!], {}, PORTS.scores);
  if (!probabilities) return;
  const scaled = out.node('Mul', [probability!, out.floats('byte_scale', [255], [])]);
  out.cast(out.node('Round', [scaled]), 'uint8', PORTS.probabilities);
}

/** Makes the sum of 2⁴⁰ scores of the largest float32 a float32; exact, being a power of two. */
export const SUM_SCALE = 2 ** -40;

/**
 * The sum of a patch's scores × 2⁻⁴⁰: NaN or infinite when one of them is, and only then. A sum and no comparison, since
 * compilers for GPUs may take it for granted that a number is one, but none leaves out a term. Rows first: many short sums
 * are what a GPU does well.
 */
function scoreSums(out: OnnxWriter, scores: string, output?: string): string {
  const small = out.node('Mul', [scores, out.floats('sum_scale', [SUM_SCALE], [])]);
  return out.over('ReduceSum', out.over('ReduceSum', small, [3]), [1, 2], output);
}
