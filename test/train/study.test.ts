import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runStudy } from '#src/cli/commands/study.js';
import { loadConfig } from '#src/config/load.js';
import type { EvaluationReport, ModelResult } from '#src/evaluate/metrics.js';
import { loadBundle } from '#src/model/bundle.js';
import { type StudyModel, studyFigure, studyTable } from '#src/train/study-report.js';
import { createTrainer } from '#src/train/trainer.js';
import { capture } from '../cli/capture.js';
import { emptyFolder } from '../support/paths.js';
import { createLogisticTrainer } from './logistic-trainer.mjs';
import { pictureSet } from './train-set.js';

async function runOn(...more: Parameters<typeof runStudy> extends [unknown, ...infer Rest] ? Rest : never) {
  const runs = await emptyFolder();
  const flags = { positive: '1', ignore: '3', mpp: 0.5, engine: 'cpu', 'patch-size': 64, epochs: 1, 'final-epochs': 0 };
  const given = {
    ...flags,
    'effective-batch': 8,
    'learning-rate': 1e-3,
    readers: 1,
    isolation: 'thread',
    runs,
    name: 'study',
  };
  const loaded = await loadConfig(given, {});
  const written = capture();
  const context = { args: [await pictureSet(6)], config: loaded.config, loaded, terminal: written.terminal };
  try {
    const signal = new AbortController().signal;
    const status = await runStudy({ ...context, signal }, ...more);
    return { ...written, status, folder: join(runs, 'study') };
  } finally {
    written.restore();
  }
}

const reportOf = async (folder: string): Promise<EvaluationReport> =>
  JSON.parse(await readFile(join(folder, 'metrics.json'), 'utf8'));

it('a network is trained, its threshold chosen on validation and written down, the test split scored', async () => {
  const { status, folder, errors } = await runOn(createLogisticTrainer, ['fpn-resnet34']);
  expect(errors).toEqual([]);
  expect(status).toBe(0);
  const report = await reportOf(folder);
  const [model] = report.models;
  expect(Object.keys(model!.splits).sort()).toEqual(['test', 'train', 'validation']);
  // It saw images of the set, but none of those that are scored.
  expect(model!.seen).toBeUndefined();
  const { threshold } = model!.chosenThreshold!;
  const bundle = await loadBundle(join(folder, 'fpn-resnet34', 'best'));
  if (threshold > 0 && threshold < 1) expect(bundle.threshold).toBe(threshold);
  const table = await readFile(join(folder, 'study.md'), 'utf8');
  const row = table.split('\n').find(line => line.startsWith('| FPN/resnet34'))!;
  expect(row.split(' | ').slice(1, 4)).toEqual([
    '0.864',
    model!.chosenThreshold!.iou.test!.value.toFixed(3),
    threshold.toFixed(3),
  ]);
  expect(table).toContain('**other data**');
  expect(await readFile(join(folder, 'study.svg'), 'utf8')).toContain('study 0.864, on its own data');
});

it.runIf(process.env['THOROUGH'] === '1')("all three of the study's networks", async () => {
  const { status, folder } = await runOn(createTrainer);
  expect(status).toBe(0);
  const { models } = await reportOf(folder);
  expect(models.map(({ architecture, encoder }) => `${architecture}/${encoder}`)).toEqual([
    'Unet/vgg16',
    'Unet/resnet34',
    'FPN/resnet34',
  ]);
});

it('a table says whose numbers are whose, and leaves out what is not known', () => {
  const interval = { value: 0.7123, lower: 0.6, upper: 0.8 };
  const unknown = { value: 0.5, lower: Number.NaN, upper: Number.NaN };
  const scores = (micro: typeof interval) => ({
    iou: { micro },
    dice: { micro },
    images: 2,
    patients: 1,
    patches: { scored: 9 },
  });
  const model = (encoder: string, of: object): StudyModel => ({
    ...{ epochs: 25, parameters: 23_155_393 },
    result: {
      name: encoder,
      architecture: 'Unet',
      encoder,
      threshold: 0.5,
      images: [],
      ...of,
    } as unknown as ModelResult,
    best: { epoch: 7, validation: { loss: 0.2, iou: 0.75 } } as StudyModel['best'],
  });
  const models = [
    model('vgg16', {
      splits: { test: scores(interval) },
      chosenThreshold: { threshold: 0.42, iou: { test: interval } },
    }),
    model('resnet18', { splits: { test: scores(unknown) } }),
  ];
  const set = { name: 'lab' };
  const protocol = { patchSize: 512, spacing: 0.5, split: { by: 'patient', seed: 1 } };
  const table = studyTable({ set, protocol } as EvaluationReport, models);
  expect(table).toContain(
    '| Unet/vgg16 | 0.830 | 0.712 (0.600–0.800) | 0.420 | 0.712 (0.600–0.800) | 0.712 (0.600–0.800) | 0.750 | 7 of 25 | 23.2 M |',
  );
  expect(table).toContain('| Unet/resnet18 | – | – | – | 0.500 | 0.500 |');
  expect(table).toContain('2 images, 1 patient, 9 patches; split by patient, seed 1');
  expect(studyFigure(models)).toMatch(/^<svg xmlns.*vgg16.*<\/svg>\n$/s);
});
