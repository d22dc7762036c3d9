import { basename, join, resolve } from 'node:path';
import { readerThreads, tissueRule } from '../../pipelines/parts.js';
import { train } from '../../pipelines/train.js';
import type { Config } from '../config/options.js';
import { chooseEngine } from '../engine/choose.js';
import { StromaflowError } from '../errors.js';
import { type LabelledSet, openLabelledSet } from '../evaluate/labelled-set.js';
import { describeLabelMap } from '../evaluate/labels.js';
import { ImageSums } from '../evaluate/seen.js';
import { readSplit, type Split } from '../evaluate/split.js';
import { splitSet } from '../evaluate/split-set.js';
import { NORM_MODES } from '../model/norm/statistics.js';
import { openSlide } from '../slide/open.js';
import type { TrainedArchitecture } from '../train/architectures.js';
import { writeExamples } from '../train/examples.js';
import { indexPatches, type PatchIndex } from '../train/patch-index.js';
import type { TrainState } from '../train/port.js';
import { bestOf, type EpochLine } from '../train/progress.js';
import type { RunRecipe } from '../train/recipe.js';
import { RunFolder, splitHash } from '../train/run-folder.js';
import type { SampleSetting } from '../train/sample-reader.js';
import { SampleThreads } from '../train/sample-threads.js';
import { checkSplit, checkSplitGrid } from '../train/split-fit.js';
import { checkPatchSize, dropoutOf, openStart, type Start } from '../train/start.js';
import { statementOf } from '../train/statement.js';
import { createThreadTrainer } from '../train/thread-trainer.js';
import type { createTrainer } from '../train/trainer.js';
import type { UnlabelledIndex } from '../train/unlabelled-index.js';
import { VERSION } from '../version.js';
import type { CommandContext } from './command.js';
import { Faults } from './faults.js';
import { labelledSetOptions } from './label-options.js';
import { TrainDisplay } from './train-display.js';
import { recipeOf } from './train-options.js';
import { findPictures, openUnlabelled } from './train-unlabelled.js';

/** What a run came to. */
export interface RunResult {
  /** Exit status: 0 done, 1 with images left out, 130 interrupted. */
  readonly status: number;
  /** Folder of the run. */
  readonly folder: string;
  readonly best: EpochLine | undefined;
  /** Epochs it has learned. */
  readonly epochs: number;
  /** The split file it was learned by. */
  readonly split: string;
}

/** The study's, where neither option nor bundle nor split says otherwise. */
const STUDY_PATCHES = { spacing: 0.5, patchSize: 512 } as const;
/** Decoded tiles and images of all threads together. */
const CACHE_BYTES = 256 * 2 ** 20;

/**
 * Trains a network on a labelled set, or goes on with a run that was interrupted.
 * @param openTrainer what computes the steps
 * @throws what openLabelledSet, openStart, indexPatches, RunFolder.open and train throw
 */
export async function trainSet(
  context: CommandContext,
  openTrainer: typeof createTrainer = createThreadTrainer,
): Promise<RunResult> {
  const { args, config, terminal, signal } = context;
  const path = args[0]!;
  const cleanUps: (() => Promise<unknown>)[] = [];
  try {
    const start = await openStart(startOptions(config), signal);
    cleanUps.unshift(() => start.close());
    const recipe = recipeOf(config, start.parameters);
    const faults = new Faults(config.strict, true);
    const set = await openLabelledSet(path, {
      ...labelledSetOptions(config, start.labels),
      strict: config.strict,
      onFault: faults.add,
    });
    terminal.line(`set        ${path}: ${set.size} images`);
    for (const line of describeLabelMap(set.map)) terminal.line(`labels     ${line}`);
    const given = config.split !== undefined && !isUnit(config.split) ? await readSplit(config.split) : undefined;
    const grid = gridOf(config, start, given);
    checkPatchSize(start, grid.patchSize);
    const dropout = dropoutOf(start);
    if (given) checkSplitGrid(given, config.split!, grid.spacing, grid.patchSize);
    const name = config.name ?? `${basename(resolve(path))}-${nameOf(start)}`;
    if (basename(name) !== name || name === '..') {
      throw new StromaflowError('USAGE', `--name ${name} is a path`, {
        fix: 'give the folder with --runs, and a plain name',
      });
    }
    const folder = await RunFolder.open(join(config.runs, name), config.fresh);
    cleanUps.unshift(() => folder.close());
    await folder.checkSpace(parameterCount(start), recipe.pseudo !== undefined);
    const split = given ?? (await splitSet(set, { by: unitOf(config), seed: config.seed, ...grid, openSlide }));
    const display = await TrainDisplay.open(config, terminal, name, recipe);
    cleanUps.unshift(() => display.close());
    const onItems = (ids: ReadonlySet<string>): void => {
      if (ids.size === 0) throw noneUsable(path, set.size, faults);
      faults.say();
      const said = given && checkSplit(given, config.split!, ids, faults.list.length);
      if (said) terminal.line(`split      ${said}`);
    };
    const pictures = await findPictures(config, faults);
    const index = await indexSet(context, set, split, grid, recipe, faults, display, onItems);
    terminal.line(`split      by ${split.by}, seed ${split.seed}, ${splitHash(split).slice(0, 8)}`);
    for (const line of describeIndex(index)) terminal.line(line);
    const unlabelled = await openUnlabelled(context, pictures, {
      ...{ grid, recipe, labelled: index, faults },
      setting: { ...settingOf(set), rule: tissueRule(config) },
      onProgress: patches => display.looked(patches),
    });

    const { engine, line } = await chooseEngine(config.engine, { threads: config.threads });
    const run = {
      recipe,
      start: start.facts,
      ...grid,
      splitHash: splitHash(split),
      patchesHash: [index, ...(unlabelled ? [unlabelled] : [])].map(({ hash }) => hash).join(' '),
    };
    const told = { stromaflow: VERSION, engine, threads: config.threads, set: resolve(path), begins: start.said };
    const from = await folder.begin({ format: 'stromaflow-run/1', run, told }, split);
    terminal.line(`engine     ${engine}${line ? `: ${line}` : ''}`);
    terminal.line(`begins     ${start.said}`);
    if (from) terminal.line(`goes on    at epoch ${from.progress.epoch + 1}, patch ${from.progress.place}`);
    signal.throwIfAborted();
    // Not given the signal: what is interrupted finishes its step, and is saved.
    const trainer = await openTrainer(start, { ...recipe, dropout, threads: config.threads }, { engine });
    cleanUps.unshift(() => trainer.close());
    const { threads, slots } = startThreads(config, set, grid.patchSize, recipe);
    cleanUps.unshift(() => threads.close());
    const seen = await seenLines(index, unlabelled, start.made?.seen ?? []);
    const statement = { name, set, split, recipe, grid, licence: config['data-licence'], start };
    const bundleOf = (state: TrainState, history: readonly EpochLine[], epoch: EpochLine) => ({
      config: start.config,
      state,
      parameters: start.parameters,
      manifest: statementOf({ ...statement, epoch, epochs: history.length }),
      seen,
      norms: start.norms,
    });
    display.begin(from?.progress, index);
    const { why, progress } = await train(
      {
        index,
        unlabelled,
        threads,
        slots,
        trainer,
        recipe,
        side: grid.patchSize,
        from,
        observer: display,
        checkpointSeconds: config['checkpoint-interval'],
        sink: {
          checkpoint: checkpoint => folder.checkpoint(checkpoint),
          examples: async (epoch, examples) => writeExamples(await folder.examplesOf(epoch), grid.patchSize, examples),
          epoch: async (epoch, state, history) => {
            if (epoch.best) await folder.bundle('best', bundleOf(state, history, epoch));
            await folder.bundle('last', bundleOf(state, history, epoch));
            folder.history(history, name);
            display.epoch(epoch, history);
          },
        },
      },
      signal,
    );
    const best = bestOf(progress);
    display.end(why, best, folder.path);
    const status = why === 'interrupted' ? 130 : faults.list.length > 0 ? 1 : 0;
    return {
      status,
      folder: folder.path,
      best,
      epochs: progress.history.length,
      split: join(folder.path, 'split.json'),
    };
  } catch (error) {
    if (signal.aborted && error === signal.reason)
      throw new StromaflowError('INTERRUPTED', 'interrupted before the first step');
    throw error;
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

function noneUsable(path: string, count: number, { list: [first] }: Faults): StromaflowError {
  const why = first ? `: ${first.message}` : '';
  return new StromaflowError('LABELS_INVALID', `${path}: none of its ${count} images can be used${why}`, {
    cause: first,
    ...(first && { fix: first.fix }),
  });
}

function startOptions(config: Config) {
  const norm = NORM_MODES.find(mode => mode === config.norm);
  const { model, 'encoder-weights': encoderWeights, seed } = config;
  return { architecture: config.architecture as TrainedArchitecture, model, encoderWeights, norm, seed };
}

const isUnit = (split: string): boolean => split === 'patch' || split === 'patient';
const unitOf = ({ split }: Config) => (split === 'patch' ? 'patch' : 'patient');

function gridOf(config: Config, start: Start, split: Split | undefined): { spacing: number; patchSize: number } {
  return {
    spacing: config.spacing ?? start.spacing ?? split?.spacing ?? STUDY_PATCHES.spacing,
    patchSize: config['patch-size'] ?? start.patchSize ?? split?.patchSize ?? STUDY_PATCHES.patchSize,
  };
}

const nameOf = ({ architecture }: Start): string =>
  `${architecture.decoder.type.toLowerCase()}-${architecture.encoder}`;

export const parameterCount = ({ graph }: Start): number =>
  [...graph.parameters.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

async function indexSet(
  { config, signal }: CommandContext,
  set: LabelledSet,
  split: Split,
  grid: { readonly spacing: number; readonly patchSize: number },
  { augment }: RunRecipe,
  faults: Faults,
  display: TrainDisplay,
  onItems: (ids: ReadonlySet<string>) => void,
): Promise<PatchIndex> {
  const setting = { ...settingOf(set), rule: tissueRule(config) };
  const count = readerThreads(config);
  const threads = new SampleThreads({ threads: count, setting, side: grid.patchSize, slots: 0 });
  try {
    return await indexPatches(set, {
      split,
      ...grid,
      openSlide,
      context: augment.includes('scale') && split.by === 'patient',
      padSmall: config['pad-small'],
      look: (sample, col, row) => threads.look({ sample, col, row }),
      atOnce: 2 * count,
      onItems,
      onFacts: ({ imagePath, labels }, _facts, unknownValue) => {
        if (unknownValue < 0 || labels.kind === 'annotations') return;
        const message = `${imagePath}: label value ${unknownValue} is not declared, its pixels are left out`;
        faults.add(new StromaflowError('LABELS_INVALID', message));
      },
      onProgress: patches => display.looked(patches),
      signal,
    });
  } finally {
    await threads.close();
  }
}

const settingOf = (set: LabelledSet): SampleSetting => ({
  map: set.map,
  reading: set.reading,
  rule: null,
  cacheBytes: CACHE_BYTES,
});

/** Patches are read ahead for a step while the one before is computed. */
function startThreads(config: Config, set: LabelledSet, side: number, { effectiveBatch, batch, pseudo }: RunRecipe) {
  const threads = readerThreads(config);
  const slots = Math.min(effectiveBatch, 64) + batch;
  // Unlabelled patches are read twice.
  const all = pseudo ? 3 * slots : slots;
  return { threads: new SampleThreads({ threads, setting: settingOf(set), side, slots: all }), slots };
}

function describeIndex({ items, train, validation, removed }: PatchIndex): string[] {
  const line = (name: string, patches: PatchIndex['train']): string => {
    const images = new Set(patches.map(({ item }) => item)).size;
    const labelled = patches.reduce((sum, patch) => sum + patch.labelledPixels, 0);
    const positive = patches.reduce((sum, patch) => sum + patch.positivePixels, 0);
    const share = ((100 * positive) / labelled).toFixed(1);
    return `${name.padEnd(10)} ${patches.length} patches of ${images} images, ${share} % of labelled pixels stroma`;
  };
  const { empty, unlabelled } = removed;
  return [
    line('training', train),
    line('validation', validation),
    `left out   ${empty} empty and ${unlabelled} unlabelled patches of ${items.length} images`,
  ];
}

/** What `sha256sum` would print of the images that the run learns from or is chosen by, and sums that its beginning brings. */
async function seenLines(
  { items, train, validation }: PatchIndex,
  unlabelled: UnlabelledIndex | undefined,
  before: readonly string[],
): Promise<string[]> {
  const sums = new ImageSums();
  const used = new Set([...train, ...validation].map(({ item }) => item));
  const lines = new Map<string, string>();
  const labelled = [...used].sort((a, b) => a - b).map(item => items[item]!.image);
  for (const image of [...labelled, ...(unlabelled?.items ?? []).map(({ picture }) => picture)]) {
    const sum = await sums.of(image);
    if (sum !== undefined) lines.set(sum, `${sum}  ${basename(image.imagePath)}`);
  }
  const earlier = before.filter(sum => !lines.has(sum)).map(sum => `${sum}  (before)`);
  return [...lines.values(), ...earlier];
}
