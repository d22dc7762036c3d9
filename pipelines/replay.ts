import type { Observable } from 'rxjs';
import type { Evaluation } from '../src/evaluate/evaluation.js';
import type { LabelledImage } from '../src/evaluate/labelled-item.js';
import type { LabelledSet } from '../src/evaluate/labelled-set.js';
import { openItem, openLabels } from '../src/evaluate/open-item.js';
import { openSlide } from '../src/slide/open.js';
import type { Parts } from './parts.js';
import { segmentSlides } from './segment.js';
import type { SlideResult } from './slide-result.js';
import type { SlideTask } from './slide-task.js';

/** Most images open at once: enough of one patch each to keep a large batch filling, few enough to hold in memory. */
const IMAGES_AT_ONCE = 16;

/**
 * A labelled set through the graph of segment.ts, each mask compared with its truth on the way:
 *
 *     labelled set ─pull→ images and truths ─plan→ due patches → the graph → a result an image, counts in the evaluation
 *
 * Images are opened as the graph takes them in, so that a set of any size is never held as a whole.
 */
export function replaySet(
  set: LabelledSet,
  evaluation: Evaluation,
  parts: Parts,
  signal: AbortSignal,
): Observable<SlideResult> {
  const slidesAtOnce = Math.max(parts.slidesAtOnce, Math.min(IMAGES_AT_ONCE, parts.credits.total));
  return segmentSlides(tasksOf(set, evaluation, parts), { ...parts, slidesAtOnce }, signal);
}

async function* tasksOf(set: LabelledSet, evaluation: Evaluation, parts: Parts): AsyncGenerator<SlideTask> {
  for await (const item of set) yield taskOf(item, set, evaluation, parts);
}

function taskOf(item: LabelledImage, set: LabelledSet, evaluation: Evaluation, { config, models }: Parts): SlideTask {
  const spacing = config.spacing ?? models.current.model.spacing;
  return {
    path: item.imagePath,
    id: item.id,
    open: signal => openItem(item, { spacing, openSlide: (path, options) => openSlide(path, { ...options, signal }) }),
    openLabels: async (slide, plan) =>
      evaluation.truth(item, plan, await openLabels(item, slide, set.map, set.reading)),
  };
}
