import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Interval } from '../evaluate/bootstrap.js';
import { type EvaluationReport, type ModelResult, STUDY } from '../evaluate/metrics.js';
import { intervalPlot } from '../evaluate/report/plots.js';
import { count } from '../evaluate/report/words.js';
import type { EpochLine } from './progress.js';
import { runError } from './run-error.js';

/** One network of the study, trained and scored. */
export interface StudyModel {
  readonly result: ModelResult;
  readonly best: EpochLine;
  /** Epochs it learned. */
  readonly epochs: number;
  readonly parameters: number;
}

/** The study's table: its own numbers beside those of this set, each with what it is of. */
export function studyTable(report: EvaluationReport, models: readonly StudyModel[]): string {
  const { set, protocol } = report;
  const split = protocol.split ? `split by ${protocol.split.by}, seed ${protocol.split.seed}` : 'no split';
  const rows = models.map(({ result, best, epochs, parameters }) => {
    const study = STUDY.find(item => item.architecture === result.architecture && item.encoder === result.encoder);
    const test = result.splits.test;
    const chosen = result.chosenThreshold;
    return [
      `${result.architecture}/${result.encoder}`,
      study ? study.iou.toFixed(3) : '–',
      shown(chosen?.iou.test),
      chosen ? chosen.threshold.toFixed(3) : '–',
      shown(test?.iou.micro),
      shown(test?.dice.micro),
      best.validation.iou.toFixed(3),
      `${best.epoch} of ${epochs}`,
      `${(parameters / 1e6).toFixed(1)} M`,
    ];
  });
  const head = [
    'network',
    'the study: IoU, **other data**',
    'this set: IoU, test',
    'threshold',
    'IoU at 0.5',
    'Dice at 0.5',
    'IoU, validation',
    'epoch',
    'parameters',
  ];
  const test = models[0]?.result.splits.test;
  const of = test
    ? `${count(test.images, 'image')}, ${count(test.patients, 'patient')}, ${count(test.patches.scored, 'patch', 'patches')}`
    : 'no image';
  return `# ${set.name}: the study's three networks

| ${head.join(' | ')} |
|${head.map(() => '---').join('|')}|
${rows.map(row => `| ${row.join(' | ')} |`).join('\n')}

The study's numbers are of TIGER, split by patches, so that patches of one patient are in training and in test. This set is another, and its
numbers are of its test split (${of}; ${split}), all pixels together, with 95 % intervals over patients. **The two columns cannot be
compared with each other**; the rows of one can.

The epoch and the threshold were chosen on the validation split. Patches of ${protocol.patchSize} px at ${protocol.spacing} µm/px. The whole
evaluation is in report.html, every number in metrics.json; study.svg shows the table.
`;
}

/** IoU of each network at its threshold, with the study's as open diamonds. */
export function studyFigure(models: readonly StudyModel[]): string {
  const atThreshold = models.map(({ result }): ModelResult => {
    const { test } = result.splits;
    const chosen = result.chosenThreshold?.iou.test;
    if (!test || !chosen) return result;
    return { ...result, splits: { test: { ...test, iou: { ...test.iou, micro: chosen } } } };
  });
  const style = `<style>text{font:11px sans-serif;fill:#444}.label{font-size:12px;fill:#222}.axis{fill:none;stroke:#444}.grid{stroke:#e8e8e8}</style><rect width="100%" height="100%" fill="#fff"/>`;
  return `${intervalPlot(atThreshold, 'test', STUDY)
    .replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace('>', `>${style}`)}\n`;
}

/** @throws OUTPUT_FULL, OUTPUT_FAILED */
export async function writeStudy(
  folder: string,
  report: EvaluationReport,
  models: readonly StudyModel[],
): Promise<void> {
  const files = [
    ['study.md', studyTable(report, models)],
    ['study.svg', studyFigure(models)],
  ] as const;
  for (const [name, content] of files) {
    const path = join(folder, name);
    try {
      await writeFile(`${path}.partial`, content);
      await rename(`${path}.partial`, path);
    } catch (error) {
      throw runError(error, path);
    }
  }
}

function shown(interval: Interval | undefined): string {
  if (!interval || !Number.isFinite(interval.value)) return '–';
  const { value, lower, upper } = interval;
  const range = Number.isFinite(lower) ? ` (${lower.toFixed(3)}–${upper.toFixed(3)})` : '';
  return `${value.toFixed(3)}${range}`;
}
