import { readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Config } from '../../config/options.js';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import type { EvaluationReport } from '../../evaluate/metrics.js';
import { MANIFEST } from '../../model/bundle.js';
import { outputError } from '../../store/final-file.js';
import { TRAINED_ARCHITECTURES, type TrainedArchitecture } from '../../train/architectures.js';
import { openStart } from '../../train/start.js';
import { type StudyModel, writeStudy } from '../../train/study-report.js';
import { createThreadTrainer } from '../../train/thread-trainer.js';
import type { createTrainer } from '../../train/trainer.js';
import { type Command, type CommandContext, GENERAL, LABELS, STATUS, TISSUE, TRAINING } from '../command.js';
import { parameterCount, type RunResult, trainSet } from '../train-run.js';
import { replay } from './replay.js';

const NOT_OF_A_STUDY = ['architecture', 'model', 'norm'];

/** Trains the study's three networks on one set and one split, and sets them beside its table. */
export const study: Command = {
  usage: 'study <set>',
  summary: "train the study's three networks on a labelled set and write its table",
  notes: `U-Net with VGG16, U-Net with ResNet34 and FPN with ResNet34, each as stromaflow train does, with the same split. Thresholds are chosen on the
validation split and written into the bundles; scores are of the test split. <runs>/<name>/study.md is the table, study.svg the figure,
report.html the whole evaluation. --encoder-weights takes several files with commas between; each encoder takes the one that fits. The
same command again goes on where it was stopped.`,
  options: [
    ...TRAINING.filter(name => !NOT_OF_A_STUDY.includes(name)),
    ...['split', 'seed', ...LABELS, 'strict', 'mpp', 'spacing', 'patch-size', ...TISSUE, ...STATUS, ...GENERAL],
  ] as Command['options'],
  run: context => runStudy(context),
};

/**
 * @param openTrainer what computes the steps
 * @param architectures in the order of the table
 * @throws what trainSet and replay throw
 */
export async function runStudy(
  context: CommandContext,
  openTrainer: typeof createTrainer = createThreadTrainer,
  architectures: readonly TrainedArchitecture[] = [...TRAINED_ARCHITECTURES].reverse(),
): Promise<number> {
  const { args, terminal } = context;
  const folder = join(context.config.runs, context.config.name ?? `${basename(resolve(args[0]!))}-study`);
  const runs: { readonly run: RunResult; readonly parameters: number }[] = [];
  let split = context.config.split;
  for (const architecture of architectures) {
    terminal.line(`\n${architecture}`);
    const { encoderWeights, parameters } = await weightsFor(architecture, context.config, context.signal);
    const { 'encoder-weights': _, ...others } = context.config;
    const config = {
      ...others,
      architecture,
      split,
      runs: folder,
      name: architecture,
      'encoder-weights': encoderWeights,
    };
    const run = await trainSet({ ...context, config }, openTrainer);
    if (run.status === 130) return 130;
    split = run.split;
    runs.push({ run, parameters });
  }
  terminal.line('\nscores');
  const bundles = runs.map(({ run }) => join(run.folder, 'best'));
  const [model, ...compare] = bundles;
  const { spacing, patchSize } = await gridOf(model!);
  const config = {
    ...context.config,
    model,
    compare: compare.join(','),
    split,
    out: folder,
    spacing,
    'patch-size': patchSize,
  };
  const status = await replay.run({ ...context, config });
  if (context.signal.aborted) return 130;
  const report = JSON.parse(await readFile(join(folder, 'metrics.json'), 'utf8')) as EvaluationReport;
  if (!report.models.every(({ splits }) => splits.test))
    throw new StromaflowError('LABELS_INVALID', `${args[0]}: nothing of the test split could be scored`, {
      fix: 'look at the faults above, or make another split with stromaflow labels split',
    });
  const models = runs.map(({ run, parameters }, index): StudyModel => {
    if (!run.best) throw new StromaflowError('INTERNAL', `${run.folder} has no best epoch`);
    return { result: report.models[index]!, best: run.best, epochs: run.epochs, parameters };
  });
  for (const [index, { result }] of models.entries())
    await setThreshold(bundles[index]!, result.chosenThreshold?.threshold);
  await writeStudy(folder, report, models);
  terminal.line(`study      ${join(folder, 'study.md')}, with study.svg and report.html beside it`);
  return Math.max(status, ...runs.map(({ run }) => run.status));
}

/** The first of the files that is of this encoder; undefined where none is given. */
async function weightsFor(architecture: TrainedArchitecture, config: Config, signal: AbortSignal) {
  const files = (config['encoder-weights'] ?? '').split(',').flatMap(path => path.trim() || []);
  let last: unknown;
  for (const encoderWeights of files.length > 0 ? files : [undefined]) {
    try {
      const start = await openStart({ architecture, encoderWeights, seed: config.seed }, signal);
      await start.close();
      return { encoderWeights, parameters: parameterCount(start) };
    } catch (error) {
      if (toStromaflowError(error).code !== 'MODEL_TENSOR') throw error;
      last = error;
    }
  }
  throw last;
}

const gridOf = async (bundle: string): Promise<{ spacing: number; patchSize: number }> =>
  JSON.parse(await readFile(join(bundle, MANIFEST), 'utf8'));

/** Puts the threshold that validation chose into a bundle. */
async function setThreshold(bundle: string, threshold: number | undefined): Promise<void> {
  if (threshold === undefined || !(threshold > 0 && threshold < 1)) return;
  const path = join(bundle, MANIFEST);
  try {
    const manifest = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    await writeFile(`${path}.partial`, `${JSON.stringify({ ...manifest, threshold }, null, 2)}\n`);
    await rename(`${path}.partial`, path);
  } catch (error) {
    throw outputError(error, path);
  }
}
