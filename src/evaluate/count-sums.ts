import type { SeamCounts } from '../mask/seams.js';
import type { Statistic } from './bootstrap.js';
import type { Counts } from './counts.js';

/** An image that was scored, as far as counts and areas of it go. */
export interface CountedImage {
  readonly image: string;
  readonly patient: string;
  readonly counts: Counts;
  /** mm² of one scored pixel. */
  readonly pixelArea: number;
  /** Of its mask; absent where its patches are in several splits. */
  readonly seams?: SeamCounts | undefined;
}

/** Sums over the images of each patient, in the order of the weights that a statistic is given. */
export type Columns<Name extends string> = Readonly<Record<Name, Float64Array>>;

/** @param patients in the order of the weights; images of others count nothing */
export function columnsOf<Name extends string, Item extends { readonly patient: string }>(
  values: Readonly<Record<Name, (item: Item) => number>>,
  items: readonly Item[],
  patients: readonly string[],
): Columns<Name> {
  const index = new Map(patients.map((patient, i) => [patient, i]));
  const names = Object.keys(values) as Name[];
  const columns = Object.fromEntries(names.map(name => [name, new Float64Array(patients.length)])) as Columns<Name>;
  for (const item of items) {
    const i = index.get(item.patient);
    if (i !== undefined) for (const name of names) columns[name][i]! += values[name](item);
  }
  return columns;
}

export const ratioOf =
  (numerator: Float64Array, denominator: Float64Array): Statistic =>
  weights =>
    dot(weights, numerator) / dot(weights, denominator);

/** Scores that follow from counts and areas alone. A resample is a weighted sum: nothing is counted again. */
export class CountSums {
  readonly patients: readonly string[];
  readonly #columns: Columns<keyof typeof VALUE_OF>;

  /** @param order patients in the order of the weights; those without an image count nothing */
  constructor(images: readonly CountedImage[], order?: readonly string[]) {
    this.patients = order ?? [...new Set(images.map(({ patient }) => patient))].sort();
    this.#columns = columnsOf(VALUE_OF, images, this.patients);
  }

  get iou(): Statistic {
    const { tp, fp, fn } = this.#columns;
    return weights => dot(weights, tp) / (dot(weights, tp) + dot(weights, fp) + dot(weights, fn));
  }

  get dice(): Statistic {
    const { tp, fp, fn } = this.#columns;
    return weights => (2 * dot(weights, tp)) / (2 * dot(weights, tp) + dot(weights, fp) + dot(weights, fn));
  }

  get precision(): Statistic {
    const { tp, fp } = this.#columns;
    return weights => dot(weights, tp) / (dot(weights, tp) + dot(weights, fp));
  }

  get recall(): Statistic {
    const { tp, fn } = this.#columns;
    return weights => dot(weights, tp) / (dot(weights, tp) + dot(weights, fn));
  }

  get specificity(): Statistic {
    const { tn, fp } = this.#columns;
    return weights => dot(weights, tn) / (dot(weights, tn) + dot(weights, fp));
  }

  /** Pooled relative area error: (Σ predicted − Σ truth) / Σ truth, in mm². */
  get areaError(): Statistic {
    return ratioOf(this.#columns.areaDifference, this.#columns.areaTruth);
  }

  /** Seam score of all images together (see SeamCounts); NaN where no two segmented patches touch. */
  get seamScore(): Statistic {
    const { across, acrossEqual, inside, insideEqual } = this.#columns;
    return weights =>
      dot(weights, acrossEqual) / dot(weights, across) / (dot(weights, insideEqual) / dot(weights, inside));
  }
}

const VALUE_OF = {
  tp: ({ counts }: CountedImage) => counts.tp,
  fp: ({ counts }: CountedImage) => counts.fp,
  fn: ({ counts }: CountedImage) => counts.fn,
  tn: ({ counts }: CountedImage) => counts.tn,
  areaDifference: ({ counts, pixelArea }: CountedImage) => (counts.fp - counts.fn) * pixelArea,
  areaTruth: ({ counts, pixelArea }: CountedImage) => (counts.tp + counts.fn) * pixelArea,
  across: ({ seams }: CountedImage) => seams?.across.pairs ?? 0,
  acrossEqual: ({ seams }: CountedImage) => seams?.across.equal ?? 0,
  inside: ({ seams }: CountedImage) => seams?.inside.pairs ?? 0,
  insideEqual: ({ seams }: CountedImage) => seams?.inside.equal ?? 0,
} as const;

export function dot(weights: Uint32Array, values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[i]! * values[i]!;
  return sum;
}
