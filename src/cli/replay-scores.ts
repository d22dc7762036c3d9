import type { Interval } from '../evaluate/bootstrap.js';
import { describeLeftOut, type LabelFacts } from '../evaluate/label-facts.js';
import type { EvaluationReport, ImageResult, ModelResult, ScoreDifferences } from '../evaluate/metrics.js';
import { reportedSplit, seenLine } from '../evaluate/report/html.js';
import { imagesOfPatients } from '../evaluate/report/words.js';
import type { SplitName } from '../evaluate/split.js';

/** Images of the table; metrics.json has all. */
const WORST = 10;

/** What a terminal shows of metrics.json: a line a model, how they compare, and the first model's worst images. */
export function scoreLines(report: EvaluationReport): string[] {
  const split = reportedSplit(report);
  const { models, comparisons } = report;
  const pairs = comparisons
    .filter(comparison => comparison.split === split)
    .flatMap(({ a, b, ...differences }) => [`compared   ${a} − ${b}`, ...differenceLines(differences)]);
  const images = models[0]?.images.filter(image => image.split === split) ?? [];
  return [...models.flatMap(model => modelLines(model, split)), ...pairs, ...worstLines(images)];
}

/** Scores of one minus those of another, a line each, with intervals. */
export function differenceLines(differences: ScoreDifferences): string[] {
  const { iou, dice, precision, recall, areaError, seamScore } = differences;
  const rows = [
    ['IoU', signed(iou), iou],
    ['Dice', signed(dice), dice],
    ['precision', signed(precision), precision],
    ['recall', signed(recall), recall],
    ['stroma area', points(areaError), areaError],
    ...(seamScore ? [['seam score', signed(seamScore), seamScore] as const] : []),
  ] as const;
  return rows.map(([name, text, { p }]) => {
    const chance = Number.isNaN(p) ? '' : `, p ${p < 0.001 ? '< 0.001' : number(p)}`;
    return `  ${name.padEnd(11)} ${text}${chance}`;
  });
}

/** What of the truths takes no part, and how those were taken that did not lie plainly on their pictures. */
export function truthLines(truths: LabelFacts | undefined): string[] {
  if (!truths) return [];
  const without = describeLeftOut(truths.leftOut);
  return [
    ...(without.length > 0 ? [`labels     left out: ${without.join(', ')}`] : []),
    ...truths.notes.map(note => `labels     ${note}`),
  ];
}

function modelLines(model: ModelResult, split: SplitName): string[] {
  const { name, splits, chosenThreshold } = model;
  const result = splits[split];
  if (!result) return [`${name}: nothing was scored`];
  const { iou, dice, precision, recall, areaError, patches, probability } = result;
  const of = split === 'all' ? '' : ` on the ${split} split`;
  const chosen = chosenThreshold?.iou[split];
  return [
    `${name}${of}: IoU ${interval(iou.micro)}, mean of images ${number(iou.imageMean.value)}, Dice ${number(dice.micro.value)}`,
    `  precision ${number(precision.value)}, recall ${number(recall.value)}, stroma area ${percent(areaError.value)}`,
    ...(probability
      ? [`  AUPRC ${number(probability.averagePrecision.value)}, ECE ${number(probability.calibrationError.value)}`]
      : []),
    ...(model.seams?.score == null ? [] : [`  seam score ${number(model.seams.score)} (1 is a mask without seams)`]),
    ...(chosen
      ? [`  threshold ${number(chosenThreshold.threshold)}, chosen on the validation split: IoU ${interval(chosen)}`]
      : []),
    `  ${patches.scored} patches of ${imagesOfPatients(
      result,
      model.images.filter(image => image.split === split),
    )}; left out: ${patches.removedEmpty} empty, ${patches.unlabelled} unlabelled`,
    ...(model.seen ? [`  ${seenLine(model)}`] : []),
  ];
}

function worstLines(images: readonly ImageResult[]): string[] {
  const sorted = [...images].sort((a, b) => order(a) - order(b)).slice(0, WORST);
  if (sorted.length === 0) return [];
  const width = Math.max(5, ...sorted.map(({ image }) => image.length));
  const more = images.length > sorted.length ? ` (the worst ${sorted.length} of ${images.length})` : '';
  return [
    `${'image'.padEnd(width)}     IoU    Dice${['tp', 'fp', 'fn', 'tn'].map(name => name.padStart(12)).join('')}${more}`,
    ...sorted.map(({ image, iou, dice, counts: { tp, fp, fn, tn } }) => {
      const counts = [tp, fp, fn, tn].map(count => String(count).padStart(12)).join('');
      return `${image.padEnd(width)}  ${number(iou).padStart(6)}  ${number(dice).padStart(6)}${counts}`;
    }),
  ];
}

const order = ({ iou }: ImageResult): number => (Number.isNaN(iou) ? 1 : iou);
const number = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(4));
const percent = (value: number): string =>
  Number.isNaN(value) ? '–' : `${value < 0 ? '−' : '+'}${(Math.abs(value) * 100).toFixed(1)} %`;
const withSign = (value: number, digits: number): string =>
  Number.isNaN(value) ? '–' : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
const signed = ({ value, lower, upper }: Interval): string =>
  `${withSign(value, 4)}${Number.isNaN(lower) ? '' : ` (${withSign(lower, 4)} to ${withSign(upper, 4)})`}`;
/** Differences of percentages. */
const points = ({ value, lower, upper }: Interval): string => {
  const of = (part: number) => withSign(part * 100, 1);
  return `${of(value)}${Number.isNaN(lower) ? '' : ` (${of(lower)} to ${of(upper)})`} percentage points`;
};
const interval = ({ value, lower, upper }: Interval): string =>
  Number.isNaN(lower) ? number(value) : `${number(value)} (${number(lower)} to ${number(upper)})`;
