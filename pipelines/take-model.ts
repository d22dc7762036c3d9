import type { ServingModel } from '../src/engine/model-switch.js';
import type { ReadyPatch } from '../src/live/due-patches.js';
import type { SlideNote } from '../src/slide/note.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import type { Parts } from './parts.js';
import type { SlideTask } from './run-slide.js';

/** The model of one slide, from its first patch to its last. */
export interface TakenModel {
  readonly model: ServingModel;
  /** What of it a person must know, besides what its bundle says. */
  readonly notes: readonly SlideNote[];
  /** Of a growing slide whose patches were looked at for it: those, and all that follow until the signal aborts. */
  readonly ready?: (stop: AbortSignal) => AsyncIterable<ReadyPatch>;
  release(): Promise<void>;
}

/** The model in force; with `--fit-norm` one that is fitted to the slide, for which this may wait until enough of it is there. */
export async function takeModel(
  slide: OpenedSlide,
  task: SlideTask,
  parts: Parts,
  signal: AbortSignal,
): Promise<TakenModel> {
  return parts.fits ? parts.fits.take(slide, task, parts, signal) : inForce(parts);
}

export function inForce({ models }: Pick<Parts, 'models'>, notes: readonly SlideNote[] = []): TakenModel {
  const model = models.take();
  return { model, notes, release: async () => models.release(model) };
}
