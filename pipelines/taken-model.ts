import type { ModelSwitch, ServingModel } from '../src/engine/model-switch.js';
import type { ReadyPatch } from '../src/live/due-patches.js';
import type { ReaderPool } from '../src/read/reader-pool.js';
import type { TissueRule } from '../src/read/tissue.js';
import type { SlideNote } from '../src/slide/note.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import type { CreditPool } from '../src/stage/credit.js';
import type { Ledger } from '../src/store/ledger.js';
import type { SlideTask } from './slide-task.js';

/** The model of one slide, from its first patch to its last. */
export interface TakenModel {
  readonly model: ServingModel;
  /** What of it a person must know, besides what its bundle says. */
  readonly notes: readonly SlideNote[];
  /** Of a growing slide whose patches were looked at for it: those, and all that follow until the signal aborts. */
  readonly ready?: (stop: AbortSignal) => AsyncIterable<ReadyPatch>;
  release(): Promise<void>;
}

/** What of the graph's parts it takes to give a slide its model. */
export interface ModelParts {
  readonly models: Pick<ModelSwitch, 'current' | 'take' | 'adopt' | 'release' | 'reload'>;
  readonly readers: ReaderPool;
  readonly credits: CreditPool;
  readonly ledger: Ledger;
  /** Null keeps every patch. */
  readonly tissueRule: TissueRule | null;
  /** Told in a line what an operator may want to know of a slide before it is opened. */
  readonly say: (line: string) => void;
  /** With `--fit-norm`: fits the model to each slide. */
  readonly fits?: ModelFits;
}

/** Port of what fits models to slides. */
export interface ModelFits {
  take(slide: OpenedSlide, task: SlideTask, parts: ModelParts, signal: AbortSignal): Promise<TakenModel>;
}

/** The model in force; with `--fit-norm` one that is fitted to the slide, for which this may wait until enough of it is there. */
export async function takeModel(
  slide: OpenedSlide,
  task: SlideTask,
  parts: ModelParts,
  signal: AbortSignal,
): Promise<TakenModel> {
  return parts.fits ? parts.fits.take(slide, task, parts, signal) : inForce(parts);
}

export function inForce({ models }: Pick<ModelParts, 'models'>, notes: readonly SlideNote[] = []): TakenModel {
  const model = models.take();
  return { model, notes, release: async () => models.release(model) };
}
