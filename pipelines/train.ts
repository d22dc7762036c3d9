import { StromaflowError } from '../src/errors.js';
import { CreditPool } from '../src/stage/credit.js';
import { drawAugmentation } from '../src/train/augmentation.js';
import { patchesOf } from '../src/train/batch.js';
import type { Checkpoint } from '../src/train/checkpoint.js';
import { choosePlaces, type TrainExample } from '../src/train/examples.js';
import { microBatches } from '../src/train/micro-batches.js';
import { balancedOrder, epochOrder } from '../src/train/order.js';
import type { IndexedPatch, PatchIndex } from '../src/train/patch-index.js';
import type { PseudoLabelled, TrainBatch, Trainer, TrainState } from '../src/train/port.js';
import {
  addStep,
  BEGINNING,
  bestOf,
  type EpochLine,
  iouOf,
  isOver,
  meanLoss,
  NO_STEPS,
  type RunProgress,
  type StepSums,
} from '../src/train/progress.js';
import { pseudoWeight } from '../src/train/pseudo-labels.js';
import { type RunRecipe, rateOf } from '../src/train/recipe.js';
import type { SampleThreads } from '../src/train/sample-threads.js';
import type { UnlabelledIndex } from '../src/train/unlabelled-index.js';
import { type PseudoEpoch, PseudoSource } from './pseudo-source.js';

/** Where a run's results go. */
export interface TrainSink {
  /** What the run is gone on from after a crash. */
  checkpoint(checkpoint: Checkpoint): Promise<void>;
  /** An epoch is over; its checkpoint follows, so that whatever is written here is written again after a crash in between. */
  epoch(line: EpochLine, state: TrainState, history: readonly EpochLine[]): Promise<void>;
  examples(epoch: number, examples: readonly TrainExample[]): Promise<void>;
}

/** Told how a run gets on. */
export interface TrainObserver {
  stepped(progress: RunProgress, of: { readonly patches: number; readonly epochs: number }): void;
  validated(patches: number, of: number): void;
}

export interface TrainRun {
  readonly index: Pick<PatchIndex, 'items' | 'train' | 'validation'>;
  readonly threads: Pick<SampleThreads, 'read' | 'slot'>;
  /** With it the recipe says how; patches of it take part in each step. */
  readonly unlabelled?: Pick<UnlabelledIndex, 'items' | 'patches'> | undefined;
  /** Slots of the threads; three times as many where there are unlabelled patches. */
  readonly slots: number;
  readonly trainer: Trainer;
  readonly recipe: RunRecipe;
  /** Side of a patch in pixels. */
  readonly side: number;
  readonly from: Checkpoint | undefined;
  readonly sink: TrainSink;
  readonly observer: TrainObserver;
  /** Longest time between two checkpoints. */
  readonly checkpointSeconds: number;
}

/**
 * Training as a graph:
 *
 *     epoch's order ─credit→ read, change (threads) → micro batches → optimiser step ─┐
 *          ↑                                            (Trainer)                     ├→ checkpoint
 *          └── next epoch ← best, last, curves, examples ← validation ← end of order ─┘
 *
 * Unlabelled patches come the same way, twice, and are labelled by the teacher before the step (PseudoSource).
 *
 * The order and the changes are functions of (seed, epoch, place), so that a run that was cut off at any moment goes on from its checkpoint to
 * the result it would have had. When the signal aborts, the step under way is finished and saved.
 *
 * @returns why it ended, and where it stands
 * @throws TRAINING_DIVERGED, and what reading, the trainer and the sink throw
 */
export async function train(
  run: TrainRun,
  signal: AbortSignal,
): Promise<{ readonly why: 'epochs' | 'patience' | 'interrupted'; readonly progress: RunProgress }> {
  const { recipe, trainer, sink } = run;
  let progress = run.from?.progress ?? BEGINNING;
  if (run.from) await trainer.restore(run.from.state);
  const credits = new CreditPool(run.slots);
  const pseudo = run.unlabelled && new PseudoSource({ ...run, index: run.unlabelled, firstSlot: run.slots });
  for (;;) {
    const over = isOver(progress, recipe);
    if (over) return { why: over, progress };
    const startedAt = performance.now();
    const startedFrom = progress.place;
    progress = await learn(run, progress, { credits, pseudo }, signal);
    if (signal.aborted) return { why: 'interrupted', progress };
    const validation = await validate(run, credits, progress.epoch + 1, signal);
    if (!validation) return { why: 'interrupted', progress: await save(run, progress) };
    const state = await trainer.save();
    const { epoch, sums, history } = progress;
    const seconds = (performance.now() - startedAt) / 1000;
    const best = bestOf(progress);
    const line: EpochLine = {
      epoch: epoch + 1,
      rate: rateOf(recipe, epoch),
      step: state.step,
      train: { loss: meanLoss(sums), iou: iouOf(sums) },
      validation,
      ...unlabelledLine(progress, recipe),
      best: best === undefined || validation.iou > best.validation.iou,
      seconds,
      imagesPerSecond: (progress.place - startedFrom) / seconds,
    };
    checkLoss(line, history);
    progress = { epoch: epoch + 1, place: 0, sums: NO_STEPS, history: [...history, line] };
    await sink.epoch(line, state, progress.history);
    await sink.checkpoint({ state, progress });
  }
}

/** The rest of an epoch's steps. */
async function learn(
  run: TrainRun,
  begun: RunProgress,
  from: { readonly credits: CreditPool; readonly pseudo: PseudoSource | undefined },
  signal: AbortSignal,
): Promise<RunProgress> {
  const { index, recipe, trainer, observer, side } = run;
  const { seed, augment, batch, effectiveBatch, epochs } = recipe;
  const { epoch } = begun;
  const order = orderOf(index.train, recipe, epoch);
  const change = (place: number) => drawAugmentation(augment, seed, epoch, place);
  const options = { index, threads: run.threads, side, size: batch, credits: from.credits, change, signal: NEVER };
  const batches = microBatches(index.train, order, begun.place, options);
  const unlabelled = from.pseudo?.epoch(epoch, order.length, begun.place);
  let progress = begun;
  let savedAt = performance.now();
  try {
    while (progress.place < order.length) {
      const step = await take(batches, Math.ceil(Math.min(effectiveBatch, order.length - progress.place) / batch));
      const pseudo =
        unlabelled && (await label(unlabelled, step.length, recipe, epoch + progress.place / order.length));
      const result = await trainer.step(step, rateOf(recipe, epoch), pseudo);
      if (!Number.isFinite(result.loss)) throw diverged(result.loss, progress);
      const place = progress.place + step.reduce((sum, batch) => sum + patchesOf(batch), 0);
      progress = { ...progress, place, sums: addStep(progress.sums, result, pseudo) };
      observer.stepped(progress, { patches: order.length, epochs });
      const due = performance.now() - savedAt >= run.checkpointSeconds * 1000 && place < order.length;
      if (!due && !signal.aborted) continue;
      await save(run, progress);
      savedAt = performance.now();
      if (signal.aborted) break;
    }
  } finally {
    await batches.return();
    await unlabelled?.close();
  }
  return progress;
}

/** @param epochs learned so far, with a fraction */
async function label(
  unlabelled: PseudoEpoch,
  count: number,
  { pseudo }: RunRecipe,
  epochs: number,
): Promise<PseudoLabelled & { readonly confident: number; readonly offered: number }> {
  const taken = await unlabelled.take(count);
  if (taken.length < count) throw new StromaflowError('INTERNAL', 'unlabelled patches ended before the epoch');
  const sum = (of: 'confident' | 'offered') => taken.reduce((total, batch) => total + batch[of], 0);
  return {
    batches: taken.map(({ batch }) => batch),
    weight: pseudoWeight(pseudo!, epochs),
    confident: sum('confident'),
    offered: sum('offered'),
  };
}

function unlabelledLine({ epoch, sums }: RunProgress, { pseudo }: RunRecipe): Pick<EpochLine, 'unlabelled'> {
  if (!pseudo || sums.offered === undefined) return {};
  const confident = (sums.confident ?? 0) / Math.max(1, sums.offered);
  return { unlabelled: { confident, weight: pseudoWeight(pseudo, epoch + 1) } };
}

const NEVER = new AbortController().signal;

const orderOf = (patches: readonly IndexedPatch[], { balance, seed }: RunRecipe, epoch: number): number[] =>
  balance === 'stroma'
    ? balancedOrder(
        patches.map(({ positivePixels, labelledPixels }) => positivePixels / labelledPixels),
        seed,
        epoch,
      )
    : epochOrder(patches.length, seed, epoch);

async function take(batches: AsyncGenerator<TrainBatch, void>, count: number): Promise<TrainBatch[]> {
  const taken: TrainBatch[] = [];
  while (taken.length < count) {
    const { value, done } = await batches.next();
    if (done || !value) throw new StromaflowError('INTERNAL', 'an epoch ended before its last step');
    taken.push(value);
  }
  return taken;
}

async function save({ trainer, sink }: TrainRun, progress: RunProgress): Promise<RunProgress> {
  await sink.checkpoint({ state: await trainer.save(), progress });
  return progress;
}

/** Loss and IoU over the validation patches, as they are; undefined when the signal aborted meanwhile. */
async function validate(
  run: TrainRun,
  credits: CreditPool,
  epoch: number,
  signal: AbortSignal,
): Promise<EpochLine['validation'] | undefined> {
  const { index, recipe, trainer, observer, side, sink } = run;
  const shown = new Set(choosePlaces(index.validation));
  const examples: TrainExample[] = [];
  const order = index.validation.map((_, place) => place);
  const options = { index, threads: run.threads, side, size: recipe.batch, credits, signal: NEVER };
  let sums: StepSums = NO_STEPS;
  let weighted = 0;
  let place = 0;
  for await (const batch of microBatches(index.validation, order, 0, options)) {
    if (signal.aborted) return undefined;
    const { probabilities, ...result } = await trainer.evaluate(batch);
    sums = addStep(sums, result);
    weighted += result.loss * patchesOf(batch);
    for (let i = 0; i < patchesOf(batch); i++, place++)
      if (probabilities && shown.has(place)) examples.push(exampleOf(batch, probabilities, i, side));
    observer.validated(place, order.length);
  }
  if (examples.length > 0) await sink.examples(epoch, examples);
  const loss = weighted / order.length;
  if (!Number.isFinite(loss))
    throw new StromaflowError(
      'TRAINING_DIVERGED',
      `training diverged: the validation loss of epoch ${epoch} is ${loss}`,
    );
  return { loss, iou: iouOf(sums) };
}

function exampleOf({ images, labels }: TrainBatch, probabilities: Float32Array, i: number, side: number): TrainExample {
  const pixels = side * side;
  const [from, to] = [i * pixels, (i + 1) * pixels];
  return {
    image: images.slice(from * 3, to * 3),
    labels: labels.slice(from, to),
    probabilities: probabilities.slice(from, to),
  };
}

/** An epoch that lost so many times what the first one lost learns nothing any more. */
const LOST = 10;

function checkLoss({ epoch, train }: EpochLine, [first]: readonly EpochLine[]): void {
  if (!first || train.loss <= LOST * first.train.loss) return;
  const message = `training diverged: the loss of epoch ${epoch} is ${train.loss.toPrecision(3)}, that of the first was ${first.train.loss.toPrecision(3)}`;
  throw new StromaflowError('TRAINING_DIVERGED', message);
}

function diverged(loss: number, { epoch, sums }: RunProgress): StromaflowError {
  const message = `training diverged: the loss is ${loss} in epoch ${epoch + 1}, step ${sums.steps + 1}`;
  return new StromaflowError('TRAINING_DIVERGED', message);
}
