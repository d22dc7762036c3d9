import { from, map, type Observable } from 'rxjs';
import type { Evaluation } from '../src/evaluate/evaluation.js';
import type { LabelledImage } from '../src/evaluate/labelled-item.js';
import type { LabelledSet } from '../src/evaluate/labelled-set.js';
import { openItem, openLabels } from '../src/evaluate/open-item.js';
import { openSlide } from '../src/slide/open.js';
import type { Parts } from './parts.js';
import type { SlideResult, SlideTask } from './run-slide.js';
import { segmentSlides } from './segment.js';

/**
 * A labelled set through the graph of segment.ts, each mask compared with its truth on the way:
 *
 *     labelled set ─open→ images and truths ─plan→ due patches → the graph → a result an image, counts in the evaluation
 */
export function replaySet(
  set: LabelledSet,
  evaluation: Evaluation,
  parts: Parts,
  signal: AbortSignal,
): Observable<SlideResult> {
  const tasks = from(set).pipe(map(item => taskOf(item, set, evaluation, parts)));
  return segmentSlides(tasks, parts, signal);
}

function taskOf(item: LabelledImage, set: LabelledSet, evaluation: Evaluation, { config, bundle }: Parts): SlideTask {
  const spacing = config.spacing ?? bundle.spacing;
  return {
    path: item.imagePath,
    id: item.id,
    open: signal => openItem(item, { spacing, openSlide: (path, options) => openSlide(path, { ...options, signal }) }),
    openLabels: async (slide, plan) => evaluation.truth(item, plan, await openLabels(item, slide, set.map)),
  };
}
