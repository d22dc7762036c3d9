import { BOUNDARY_TOLERANCES } from '../boundary.js';
import type { EvaluationReport, Example, ImageResult, ModelResult } from '../metrics.js';
import type { SplitName } from '../split.js';
import { areaPlots, relativeAreaPlots } from './area-plots.js';
import { escapeText, fixed, percent, withInterval } from './markup.js';
import { methods } from './methods.js';
import { FALSE_NEGATIVE, FALSE_POSITIVE, type PictureSet, TINT } from './pictures.js';
import {
  classPlot,
  distributionPlot,
  intervalPlot,
  patientPlot,
  precisionRecallPlot,
  reliabilityPlot,
  thresholdPlot,
} from './plots.js';
import { STYLE } from './style.js';
import { modelColour } from './svg.js';
import { comparisonTable, confusionTable, resultTable, scoreTable } from './tables.js';
import { count, imagesOf, imagesOfPatients, unitOf } from './words.js';

/**
 * report.html: one file, no script, no request (its policy forbids both); every number in it is one of metrics.json's,
 * whose place the cell's data-source names.
 * @param pictures of report.examples, in their order
 */
export function reportHtml(report: EvaluationReport, pictures: readonly PictureSet[]): string {
  const split = reportedSplit(report);
  const { models, set } = report;
  const sections = [
    results(report, split),
    report.comparisons.some(comparison => comparison.split === split) ? comparisons(report, split) : '',
    patients(models, split),
    area(models, split),
    errors(models, split),
    models.some(model => model.splits[split]?.probability) ? probabilities(models, split) : '',
    pictures.length > 0 ? examples(report.examples, pictures, models) : '',
    methods(report, split),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Stroma segmentation on ${escapeText(set.name)}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head><body>
<header><h1>Stroma segmentation on ${escapeText(set.name)}</h1>
<p class="meta">${escapeText(headline(report, split))}</p>${lead(models, split)}${banner(models)}</header>
${sections.join('\n')}
</body></html>
`;
}

/** Test where there is a split, else everything. */
export function reportedSplit(report: Pick<EvaluationReport, 'models'>): SplitName {
  const has = (name: SplitName) => report.models.some(model => model.splits[name]);
  return (['test', 'all', 'validation', 'train'] as const).find(has) ?? 'all';
}

function headline({ models, set, createdAt }: EvaluationReport, split: SplitName): string {
  const result = models.find(model => model.splits[split])?.splits[split];
  const size = result
    ? `${imagesOfPatients(result, imagesOf(models, split))}, ${count(result.patches.scored, 'patch', 'patches')}`
    : 'nothing was scored';
  const part = split === 'all' ? '' : `${split} split: `;
  return `${part}${size} · ${set.layout === 'tiger' ? 'TIGER layout · ' : ''}${createdAt.slice(0, 10)}`;
}

/** About the model that was asked about (`--model`, the first), whichever of those compared with it is better. */
function lead(models: readonly ModelResult[], split: SplitName): string {
  const [asked, ...others] = models;
  const result = asked?.splits[split];
  if (!asked || !result) return '';
  const { value: iou, lower, upper } = result.iou.micro;
  const interval = Number.isNaN(lower) ? '' : `, 95 % interval ${fixed(lower)}–${fixed(upper)}`;
  const better = others.filter(model => (model.splits[split]?.iou.micro.value ?? Number.NaN) > iou);
  const rest =
    others.length === 0
      ? ''
      : ` Compared with ${count(others.length, 'other model')}, ${better.length === 0 ? 'none' : escapeText(better.map(model => model.name).join(', '))} of which ${better.length > 1 ? 'have' : 'has'} a higher IoU.`;
  return `<p class="lead"><b>${escapeText(asked.name)}</b>: IoU <b>${fixed(iou)}</b>${interval}; measured stroma area ${percent(result.areaError.value, 1, true)} against the annotated.${rest}</p>`;
}

/** A model that was tried on what it was trained on, in one line. */
export function seenLine({ name, seen, provenance }: ModelResult): string {
  const which =
    seen?.by === 'content'
      ? `${seen.images} of these ${seen.of} images were used to make ${name}`
      : `${name} was made with images of this set, by what its bundle says: ${provenance}`;
  return `${which}. Scores on them say nothing about new images.`;
}

function banner(models: readonly ModelResult[]): string {
  return models
    .filter(model => model.seen)
    .map(model => `<p class="banner" role="note">${escapeText(seenLine(model))}</p>`)
    .join('');
}

function results({ models, study, protocol }: EvaluationReport, split: SplitName): string {
  return `<h2>Results</h2>${resultTable(models, split, study)}
<p class="note">In brackets: 95 % interval, ${drawn(imagesOf(models, split))}. * The study measured on its own split of TIGER by patches, where patches of one
patient stand on both sides; set beside these numbers for orientation, not for comparison.</p>
${figure(intervalPlot(models, split, study), `models[].splits.${split}.iou.micro`, 'Dot and bar: this set. Open diamond: the study’s number for the same architecture, on its own data.')}
${scoreTable(models, split)}
<p class="note">${BOUNDARY_NOTE(protocol.spacing)}</p>`;
}

const drawn = (images: readonly ImageResult[]): string =>
  unitOf(images) === 'patient'
    ? 'patients drawn with replacement'
    : 'images drawn with replacement, since no name tells a patient: too narrow where several images are of one patient';

/** What boundary F1 measures, for somebody who reads the word for the first time. */
const BOUNDARY_NOTE = (spacing: number): string =>
  `Boundary F1: of the drawn and of the annotated outline, the share that runs within ${BOUNDARY_TOLERANCES.join(' or ')} px (${BOUNDARY_TOLERANCES.map(px => `${fixed(px * spacing, 1)} µm`).join(', ')}) of the other, as a harmonic mean; 1 where the outlines agree, however large the areas are. Outlines along the picture's edge or an ignored area are not counted.`;

function comparisons(report: EvaluationReport, split: SplitName): string {
  return `<h2>Models against each other</h2>${comparisonTable(report.comparisons, split)}
<p class="note">In brackets: 95 % interval. Paired bootstrap: both models on the same resampled ${unitOf(imagesOf(report.models, split))}s. p is two-sided and not corrected for the number of comparisons.</p>`;
}

function patients(models: readonly ModelResult[], split: SplitName): string {
  const unit = unitOf(imagesOf(models, split));
  const title = unit === 'patient' ? 'Patient by patient' : 'Image by image';
  const caption =
    unit === 'patient'
      ? 'All labelled pixels of a patient together.'
      : 'No name tells a patient, so each image stands for itself.';
  return `<h2>${title}</h2>${modelKey(models)}${figure(patientPlot(models, split, unit), 'models[].images[].counts', caption)}`;
}

function area(models: readonly ModelResult[], split: SplitName): string {
  const relativePlots = relativeAreaPlots(models, split);
  const figures = areaPlots(models, split).map((plot, index) => {
    const model = models[index]!;
    const result = model.splits[split]?.area;
    if (!result) return '';
    const { absolute, relative, relativeQuartiles: quartiles } = result;
    const source = `models[${index}].splits.${split}.area`;
    const name = escapeText(model.name);
    const mm2 = (value: number) => `${fixed(value, 4).replace('-', '−')} mm²`;
    const limits = `${mm2(absolute.lower)} to ${mm2(absolute.upper)}`;
    const middle = `${percent(quartiles[0], 1, true)} to ${percent(quartiles[2], 1, true)}`;
    return `${figure(plot, `${source}.absolute`, `${name}: mean difference ${mm2(absolute.bias)}, limits of agreement ${limits} (${count(absolute.n, 'image')}).`)}
${figure(relativePlots[index]!, `${source}.relativeQuartiles`, `${name}: median error ${percent(quartiles[1], 1, true)}, middle half of the images ${middle} (${count(relative.n, 'image')} with annotated stroma).`)}`;
  });
  return `<h2>Stroma area</h2><p>The TILs score divides by this area, so its relative error passes straight into the score.</p>
<div class="pair">${figures.join('')}</div><p class="note">Left: Bland and Altman; solid: mean, dashed: mean ± 1.96 SD. Right: (predicted − annotated) ÷ annotated; solid: median. Errors beyond +200 % are drawn at +200 %: images with hardly any annotated stroma.</p>`;
}

function errors(models: readonly ModelResult[], split: SplitName): string {
  const blocks = models.flatMap((model, index) => {
    const result = model.splits[split];
    if (!result) return [];
    const title = models.length > 1 ? `<h3>${escapeText(model.name)}</h3>` : '';
    return `${title}<div class="pair"><div>${confusionTable(result, `models[${index}].splits.${split}`)}</div>${figure(classPlot(result, index), `models[${index}].splits.${split}.classes`, '')}</div>`;
  });
  return `<h2>What is mistaken for what</h2>${blocks.join('')}<p class="note">Left: labelled pixels, and shares of the annotated class. Right: how much of each annotated class was called stroma; coloured where that is right, light where the class is ignored.</p>`;
}

function probabilities(models: readonly ModelResult[], split: SplitName): string {
  const chosen = models.flatMap(model => {
    const choice = model.chosenThreshold;
    const iou = choice?.iou[split];
    if (!choice || !iou) return [];
    return `<li>${escapeText(model.name)}: threshold ${fixed(choice.threshold)} chosen on the validation split gives IoU ${withInterval(iou).replace('class="ci"', '')} here (in force: ${fixed(model.threshold)}).</li>`;
  });
  const path = `models[].splits.${split}.probability`;
  return `<h2>Probabilities</h2>${modelKey(models)}<div class="pair">
${figure(precisionRecallPlot(models, split), `${path}.curve`, 'Precision and recall over all thresholds.')}
${figure(thresholdPlot(models, split), `${path}.curve`, `IoU over the threshold. Thin line: the threshold in force${chosen.length > 0 ? '; dashed: the one chosen on the validation split' : ''}.`)}
${figure(reliabilityPlot(models, split), `${path}.reliability`, 'Calibration: on the dashed diagonal, a probability is what it says.')}
${figure(distributionPlot(models, split), `${path}.reliability`, 'How the probabilities are spread over the labelled pixels.')}</div>
${chosen.length > 0 ? `<ul class="note">${chosen.join('')}</ul>` : ''}`;
}

const WHY: Readonly<Record<Example['why'], string>> = {
  best: 'Best',
  median: 'Median',
  worst: 'Worst',
  disagreement: 'Models disagree most',
};

function examples(list: readonly Example[], pictures: readonly PictureSet[], models: readonly ModelResult[]): string {
  const blocks = list.map((example, index) => {
    const { image, truth, models: drawn } = pictures[index]!;
    const scores = Object.entries(example.iou).map(([name, iou]) =>
      models.length > 1 ? `${name} ${fixed(iou)}` : `IoU ${fixed(iou)}`,
    );
    const place = `${example.image}, column ${example.col}, row ${example.row}; ${scores.join('; ')}`;
    const name = (i: number) => (models.length > 1 ? (models[i]?.name ?? '') : 'model');
    const masks = drawn.map(({ mask }, i) => panel(mask, `${name(i)}: mask`));
    const wrong = drawn.map(({ errors: errorMap }, i) => panel(errorMap, `${name(i)}: errors`));
    // Several models: masks in the row of the image, their errors in the row of the truth.
    const panels = [panel(image, 'image'), ...(drawn.length > 1 ? masks : []), panel(truth, 'annotated')];
    panels.push(...(drawn.length > 1 ? wrong : [...masks, ...wrong]));
    const columns = drawn.length > 1 ? drawn.length + 1 : 4;
    return `<div class="example"><h3>${WHY[example.why]} <span>${escapeText(place)}</span></h3><div class="panels" style="grid-template-columns:repeat(${columns},1fr)">${panels.join('')}</div></div>`;
  });
  return `<h2>Examples</h2><ul class="key"><li>${swatch(TINT)}stroma, right</li><li>${swatch(FALSE_POSITIVE)}called stroma, is not</li><li>${swatch(FALSE_NEGATIVE)}stroma, missed</li><li><i class="hatch"></i>ignored</li></ul>
<p class="note">Patches of which at least a quarter is labelled and a twentieth of that is stroma, chosen by IoU${models.length > 1 ? ' (mean of the models)' : ''}: the highest, the nearest to the median, the lowest${models.length > 1 ? ', and those in which most pixels differ between two models' : ''}.</p>${blocks.join('')}`;
}

function modelKey(models: readonly ModelResult[]): string {
  if (models.length < 2) return '';
  const items = models.map(
    (model, index) => `<li><i style="background:${modelColour(index)}"></i>${escapeText(model.name)}</li>`,
  );
  return `<ul class="key">${items.join('')}</ul>`;
}

/** @param source where in metrics.json the numbers stand */
function figure(content: string, source: string, caption: string): string {
  return `<figure data-source="${source}">${content}${caption && `<figcaption>${caption}</figcaption>`}</figure>`;
}

const panel = (source: string, caption: string): string =>
  `<figure><img src="${source}" alt="${escapeText(caption)}"><figcaption>${escapeText(caption)}</figcaption></figure>`;
const swatch = ([r, g, b]: readonly number[]): string => `<i style="background:rgb(${r},${g},${b})"></i>`;
