import type { Comparison, ModelResult, ScoreDifferences, SplitResult, StudyNumber } from '../metrics.js';
import type { SplitName } from '../split.js';
import { escapeText, fixed, grouped, percent, withInterval } from './markup.js';

/** Architectures as people write them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { Unet: 'U-Net', FPN: 'FPN' };
const ENCODERS: Readonly<Record<string, string>> = { resnet34: 'ResNet34', vgg16: 'VGG16', vgg16_bn: 'VGG16-BN' };
export const architectureName = (name: string): string => ARCHITECTURES[name] ?? name;
export const encoderName = (name: string): string => ENCODERS[name] ?? name;

/** The study's table: architecture, encoder, IoU; with intervals, and the study's own number beside it. */
export function resultTable(models: readonly ModelResult[], split: SplitName, study: readonly StudyNumber[]): string {
  const tiger = models.some(model => model.splits[split]?.tiger);
  const rows = models.map((model, index) => {
    const result = model.splits[split];
    const own = study.find(item => item.architecture === model.architecture && item.encoder === model.encoder);
    const path = `models[${index}].splits.${split}`;
    const cells = [
      cell(escapeText(model.name), '', 'left'),
      cell(escapeText(architectureName(model.architecture) || '–'), '', 'left'),
      cell(escapeText(encoderName(model.encoder) || '–'), '', 'left'),
      cell(result ? withInterval(result.iou.micro) : '–', `${path}.iou.micro`),
      cell(result ? withInterval(result.iou.patchMean) : '–', `${path}.iou.patchMean`),
      cell(result ? withInterval(result.dice.micro) : '–', `${path}.dice.micro`),
      ...(tiger ? [cell(fixed(result?.tiger?.stroma), `${path}.tiger.stroma`)] : []),
      cell(own ? fixed(own.iou) : '–', 'study', 'soft'),
    ];
    return `<tr>${cells.join('')}</tr>`;
  });
  return table(
    [
      ['Model', 'left'],
      ['Architecture', 'left'],
      ['Encoder', 'left'],
      ['IoU<br>all pixels'],
      ['IoU<br>mean of patches'],
      ['Dice<br>all pixels'],
      ...(tiger ? [['TIGER<br>stroma F1'] as const] : []),
      ['Study’s IoU<br>other data *'],
    ],
    rows,
  );
}

/** The other scores, a row a score and a column a model. */
export function scoreTable(models: readonly ModelResult[], split: SplitName): string {
  type Row = readonly [label: string, path: string, of: (result: SplitResult) => string];
  const tolerances = Object.keys(models.find(model => model.splits[split])?.splits[split]?.boundaryF1 ?? {});
  const rows: Row[] = [
    ['Precision', 'precision', result => withInterval(result.precision)],
    ['Recall', 'recall', result => withInterval(result.recall)],
    ['Specificity', 'specificity', result => withInterval(result.specificity)],
    ['IoU, mean of images', 'iou.imageMean', result => withInterval(result.iou.imageMean)],
    ['Dice, mean of patches', 'dice.patchMean', result => withInterval(result.dice.patchMean)],
    ['Dice, mean of images', 'dice.imageMean', result => withInterval(result.dice.imageMean)],
    ...tolerances.map(
      (px): Row => [
        `Boundary F1 within ${px} px`,
        `boundaryF1.${px}`,
        result => (result.boundaryF1[px] ? withInterval(result.boundaryF1[px]) : '–'),
      ],
    ),
    ['Area error, pooled', 'areaError', result => percentInterval(result.areaError)],
    [
      'Area error of an image, median of |e|',
      'area.medianAbsoluteRelative',
      result => percent(result.area.medianAbsoluteRelative),
    ],
  ];
  if (models.some(model => model.splits[split]?.probability)) {
    rows.push(
      [
        'Average precision (AUPRC)',
        'probability.averagePrecision',
        result => optional(result.probability?.averagePrecision),
      ],
      [
        'Calibration error (ECE)',
        'probability.calibrationError',
        result => optional(result.probability?.calibrationError),
      ],
    );
  }
  const body = rows.map(([label, path, of]) => {
    const cells = models.map((model, index) => {
      const result = model.splits[split];
      return cell(result ? of(result) : '–', `models[${index}].splits.${split}.${path}`);
    });
    return `<tr>${cell(label, '', 'left')}${cells.join('')}</tr>`;
  });
  if (models.some(model => model.seams)) {
    const cells = models.map(({ seams }, index) =>
      cell(fixed(seams?.score ?? undefined), `models[${index}].seams.score`),
    );
    body.push(`<tr>${cell('Seam score (1: no seams), all splits', '', 'left')}${cells.join('')}</tr>`);
  }
  const heads = models.map(model => [escapeText(model.name)] as const);
  return table([['Score', 'left'], ...heads], body, models.length < 3 ? 'few' : '');
}

/** Differences of scores, a column a score; p below each. */
export function comparisonTable(comparisons: readonly Comparison[], split: SplitName): string {
  const shown = comparisons
    .map((comparison, index) => ({ comparison, index }))
    .filter(({ comparison }) => comparison.split === split);
  const columns = DIFFERENCES.filter(([, score]) => shown.some(({ comparison }) => comparison[score]));
  const rows = shown.map(({ comparison, index }) => {
    const cells = columns.map(([, score, text]) => {
      const difference = comparison[score];
      if (!difference) return cell('–', '');
      const chance = Number.isNaN(difference.p) ? '' : `<span class="ci">p ${pValue(difference.p)}</span>`;
      return cell(`${text(difference)}${chance}`, `comparisons[${index}].${score}`);
    });
    return `<tr>${cell(`${escapeText(comparison.a)} − ${escapeText(comparison.b)}`, '', 'left')}${cells.join('')}</tr>`;
  });
  return table([['Models', 'left'], ...columns.map(([label]) => [label] as const)], rows);
}

const DIFFERENCES = [
  ['IoU', 'iou', withInterval],
  ['Dice', 'dice', withInterval],
  ['Precision', 'precision', withInterval],
  ['Recall', 'recall', withInterval],
  ['Area error', 'areaError', percentInterval],
  ['Seam score', 'seamScore', withInterval],
] as const satisfies readonly (readonly [
  string,
  keyof ScoreDifferences,
  (difference: { value: number; lower: number; upper: number }) => string,
])[];

/** Truth by prediction, pixels and shares of the truth. */
export function confusionTable(result: SplitResult, path: string): string {
  const { tp, fp, fn, tn } = result.counts;
  const of = (count: number, all: number, key: string) =>
    cell(`${grouped(count)}<span class="ci">${percent(count / all)}</span>`, `${path}.counts.${key}`);
  return `<table class="matrix"><thead><tr><th class="left">annotated ↓ &nbsp; predicted →</th><th>stroma</th><th>other</th></tr></thead>
<tbody><tr><td>stroma</td>${of(tp, tp + fn, 'tp')}${of(fn, tp + fn, 'fn')}</tr><tr><td>other</td>${of(fp, fp + tn, 'fp')}${of(tn, fp + tn, 'tn')}</tr></tbody></table>`;
}

function pValue(p: number): string {
  if (Number.isNaN(p)) return '–';
  return p < 0.001 ? '&lt; 0.001' : fixed(p);
}

function percentInterval({ value, lower, upper }: { value: number; lower: number; upper: number }): string {
  if (Number.isNaN(lower)) return percent(value, 1, true);
  return `${percent(value, 1, true)} <span class="ci">(${percent(lower, 1, true)} to ${percent(upper, 1, true)})</span>`;
}

const optional = (interval: { value: number; lower: number; upper: number } | undefined): string =>
  interval ? withInterval(interval) : '–';

/** @param source where in metrics.json the number stands */
function cell(content: string, source: string, style = ''): string {
  return `<td${style && ` class="${style}"`}${source && ` data-source="${source}"`}>${content}</td>`;
}

function table(heads: readonly (readonly [string, string?])[], rows: readonly string[], style = ''): string {
  const head = heads.map(([content, style]) => `<th${style ? ` class="${style}"` : ''}>${content}</th>`).join('');
  return `<div class="scroll"><table${style && ` class="${style}"`}><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}
