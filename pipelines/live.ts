import { relative } from 'node:path';
import { from, map, type Observable } from 'rxjs';
import { openSlide, slideId } from '../src/slide/open.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import { type Arrival, watchFolder } from '../src/watch/watch-folder.js';
import type { Parts } from './parts.js';
import type { SlideResult, SlideTask } from './run-slide.js';
import { segmentSlides } from './segment.js';

/**
 * A scanner's output folder, live:
 *
 *     folder ─watch→ whole slides ─open→ sessions ─plan→ due patches → the graph of segment.ts → a result a slide
 *
 * Goes on until the signal aborts; a slide that fails is a result like any other.
 */
export function segmentLive(folder: string, parts: Parts, signal: AbortSignal): Observable<SlideResult> {
  const { config } = parts;
  const arrivals = watchFolder(folder, {
    pollSeconds: config.poll,
    settleSeconds: config.settle,
    open: path => openSlide(path, { mpp: config.mpp, id: idBelow(folder, path), signal }),
    signal,
  });
  const tasks = from(arrivals).pipe(map(arrival => taskOf(folder, arrival)));
  return segmentSlides(tasks, parts, signal);
}

function taskOf(folder: string, arrival: Arrival<OpenedSlide>): SlideTask {
  const { path } = arrival;
  return {
    path,
    id: idBelow(folder, path),
    open: () => ('error' in arrival ? Promise.reject(arrival.error) : Promise.resolve(arrival.opened)),
  };
}

/** Slides of two case folders may have one name: the folder is part of the id. */
const idBelow = (folder: string, path: string): string => slideId(relative(folder, path).replaceAll('/', '--'));
