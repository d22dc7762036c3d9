import { addCounts, type Counts, NO_COUNTS } from '../evaluate/counts.js';
import type { Evaluation } from '../evaluate/evaluation.js';
import { dice, iou, reduceAll } from '../evaluate/reductions.js';

export interface ReplayScores {
  readonly images: readonly ImageScore[];
  /** Over all pixels of the set. IoU and Dice are null where neither labels nor masks are positive. */
  readonly micro: ScoredCounts;
  /** Mean of the images' scores, an image without any positive counted as 1, as segmentation_models_pytorch does. */
  readonly imagewise: { readonly iou: number | null; readonly dice: number | null };
}

export interface ScoredCounts extends Counts {
  readonly iou: number | null;
  readonly dice: number | null;
}

export interface ImageScore extends ScoredCounts {
  readonly image: string;
  readonly patient: string;
  readonly patches: number;
}

export function scoresOf(evaluation: Evaluation): ReplayScores {
  const images = evaluation.images.map(({ image, patient, patches, counts }) => ({
    image,
    patient,
    patches,
    ...scored(counts),
  }));
  const units = evaluation.images.map(({ counts }) => [counts]);
  return {
    images,
    micro: scored(evaluation.images.reduce((sum, { counts }) => addCounts(sum, counts), NO_COUNTS)),
    imagewise: {
      iou: finite(reduceAll(units, iou)['micro-imagewise']),
      dice: finite(reduceAll(units, dice)['micro-imagewise']),
    },
  };
}

/** For people: a line an image, the worst first, then the set. */
export function scoreTable({ images, micro, imagewise }: ReplayScores): string[] {
  const width = Math.max(5, ...images.map(({ image }) => image.length));
  const row = (name: string, values: ScoredCounts): string =>
    `${name.padEnd(width)}  ${number(values.iou)}  ${number(values.dice)}  ${[
      values.tp,
      values.fp,
      values.fn,
      values.tn,
    ]
      .map(count => String(count).padStart(11))
      .join('')}`;
  const sorted = [...images].sort((a, b) => (a.iou ?? 1) - (b.iou ?? 1));
  return [
    `${'image'.padEnd(width)}     IoU    Dice  ${['tp', 'fp', 'fn', 'tn'].map(name => name.padStart(11)).join('')}`,
    ...sorted.map(image => row(image.image, image)),
    row('all'.padEnd(width), micro),
    `micro IoU ${number(micro.iou)}, mean per-image IoU ${number(imagewise.iou)}, ${images.length} images`,
  ];
}

const scored = (counts: Counts): ScoredCounts => ({ ...counts, iou: finite(iou(counts)), dice: finite(dice(counts)) });

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const number = (value: number | null): string => (value === null ? '     –' : value.toFixed(4));
