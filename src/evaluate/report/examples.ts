import { countBits } from '../counts.js';
import type { Example } from '../metrics.js';
import type { SpooledPatch } from '../patch-spool.js';
import { iou } from '../reductions.js';
import type { SplitName } from '../split.js';
import type { SpooledModel } from './patch-rows.js';

export interface ExampleOptions {
  readonly split: SplitName;
  /** Pictures of each sort: best, median, worst, disagreement. */
  readonly each: number;
}

/** A patch all models have scored. */
interface Joined {
  readonly image: string;
  readonly col: number;
  readonly row: number;
  readonly iou: Record<string, number>;
  readonly mean: number;
  readonly disagreement: number;
}

/** Pictures need something to see: a quarter of the patch labelled, a twentieth of that stroma. */
const LABELLED_SHARE = 0.25;
const POSITIVE_SHARE = 0.05;
const MEDIAN_BINS = 2000;

/**
 * Chooses the patches the report shows: highest, median and lowest IoU (the models' mean), and where two models differ in
 * most pixels; each from another image where there are enough. Two passes over the spools; memory holds one image.
 */
export async function chooseExamples(models: readonly SpooledModel[], options: ExampleOptions): Promise<Example[]> {
  const bins = new Float64Array(MEDIAN_BINS + 1);
  let total = 0;
  for await (const { mean } of join(models, options.split)) {
    bins[Math.round(mean * MEDIAN_BINS)]!++;
    total++;
  }
  if (total === 0) return [];
  const middle = medianOf(bins, total);
  const best = new Top(options.each, patch => patch.mean);
  const median = new Top(options.each, patch => -Math.abs(patch.mean - middle));
  const worst = new Top(options.each, patch => -patch.mean);
  const different = new Top(models.length > 1 ? options.each : 0, patch => patch.disagreement);
  for await (const patch of join(models, options.split))
    for (const top of [best, median, worst, different]) top.add(patch);
  return [
    ...best.examples('best', []),
    ...median.examples('median', best.chosen),
    ...worst.examples('worst', [...best.chosen, ...median.chosen]),
    ...different.examples('disagreement', []).filter(example => (example.disagreement ?? 0) > 0),
  ];
}

/** The highest by a score, one an image. */
class Top {
  readonly #count: number;
  readonly #score: (patch: Joined) => number;
  #kept: Joined[] = [];

  constructor(count: number, score: (patch: Joined) => number) {
    this.#count = count;
    this.#score = score;
  }

  get chosen(): readonly Joined[] {
    return this.#kept;
  }

  add(patch: Joined): void {
    if (this.#count === 0) return;
    const rival = this.#kept.find(kept => kept.image === patch.image);
    if (rival && this.#score(rival) >= this.#score(patch)) return;
    this.#kept = [...this.#kept.filter(kept => kept !== rival), patch]
      .sort((a, b) => this.#score(b) - this.#score(a))
      .slice(0, this.#count);
  }

  /** @param taken patches another sort shows already: few patches must not fill the page twice */
  examples(why: Example['why'], taken: readonly Joined[]): Example[] {
    const same = (a: Joined, b: Joined) => a.image === b.image && a.col === b.col && a.row === b.row;
    this.#kept = this.#kept.filter(patch => !taken.some(other => same(other, patch)));
    return this.#kept.map(({ image, col, row, iou: scores, disagreement }) => ({
      why,
      image,
      col,
      row,
      iou: scores,
      ...(this.#isCompared(scores) && { disagreement }),
    }));
  }

  #isCompared(scores: Record<string, number>): boolean {
    return Object.keys(scores).length > 1;
  }
}

/** Patches scored by every model, an image after the other. */
async function* join(models: readonly SpooledModel[], split: SplitName): AsyncGenerator<Joined> {
  const [first, ...others] = models;
  if (!first) return;
  for (const image of first.spool.images) {
    const patches = await first.spool.read(image);
    const rest = await Promise.all(others.map(({ spool }) => spool.read(image)));
    const keyed = rest.map(list => new Map(list.map(patch => [`${patch.col} ${patch.row}`, patch])));
    for (const patch of patches) {
      const same = [patch, ...keyed.map(map => map.get(`${patch.col} ${patch.row}`))];
      if (patch.split !== split || !isShowable(patch) || same.some(other => !other)) continue;
      const all = same as SpooledPatch[];
      const scores = all.map(({ counts }) => orZero(iou(counts)));
      yield {
        image,
        col: patch.col,
        row: patch.row,
        iou: Object.fromEntries(models.map(({ name }, i) => [name, scores[i]!])),
        mean: scores.reduce((sum, score) => sum + score, 0) / scores.length,
        disagreement: largestDifference(all),
      };
    }
  }
}

function isShowable({ counts, mask, outcome }: SpooledPatch): boolean {
  const { tp, fp, fn, tn } = counts;
  const labelled = tp + fp + fn + tn;
  const area = mask ? mask.length * 8 : 0;
  return outcome === 'segmented' && labelled >= LABELLED_SHARE * area && tp + fn >= POSITIVE_SHARE * labelled;
}

/** Pixels in which the two most different masks differ. */
function largestDifference(patches: readonly SpooledPatch[]): number {
  let largest = 0;
  for (const [i, a] of patches.entries()) {
    for (const b of patches.slice(i + 1)) {
      if (a.mask && b.mask) largest = Math.max(largest, countBits(a.mask.map((byte, at) => byte ^ b.mask![at]!)));
    }
  }
  return largest;
}

function medianOf(bins: Float64Array, total: number): number {
  let seen = 0;
  for (const [bin, count] of bins.entries()) {
    seen += count;
    if (seen * 2 >= total) return bin / MEDIAN_BINS;
  }
  return 1;
}

const orZero = (score: number): number => (Number.isNaN(score) ? 0 : score);
