import { basename, relative, resolve } from 'node:path';
import { filter, from, map, type Observable } from 'rxjs';
import { SeriesIndex } from '../src/live/dicom/series-index.js';
import type { LiveSlide } from '../src/live/live-slide.js';
import { openLiveOrWhole } from '../src/live/open-live.js';
import { slideId } from '../src/slide/open.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import { splitRegion } from '../src/slide/tile-folder/find-tiles.js';
import { folderOf, isDeepZoom, isTileManifest } from '../src/slide/tile-folder/read-tile-set.js';
import { isSlideName, matcher } from '../src/watch/names.js';
import { type Arrival, usesEvents, type WatchMode, watchFolder } from '../src/watch/watch-folder.js';
import type { Parts } from './parts.js';
import type { SlideResult, SlideTask } from './run-slide.js';
import { segmentSlides } from './segment.js';

/** Growing slides mostly wait for their scanner, so more may be open than whole ones; memory is bounded by credits. */
const LIVE_SLIDES_AT_ONCE = 16;

/**
 * A scanner's output folder, live:
 *
 *     folder ─watch→ slides, whole or growing ─open→ sessions ─plan→ patches as they become due → the graph of segment.ts
 *
 * Goes on until the signal aborts; a slide that fails is a result like any other.
 */
export function segmentLive(folder: string, parts: Parts, signal: AbortSignal): Observable<SlideResult> {
  const { config } = parts;
  const mode = config['watch-mode'] as WatchMode;
  const follow = {
    pollSeconds: config.poll,
    stallSeconds: config['incomplete-after'],
    settleSeconds: config.settle,
    events: usesEvents(folder, mode),
  };
  const series = new SeriesIndex(folder);
  const arrivals = watchFolder(folder, {
    pollSeconds: config.poll,
    settleSeconds: config.settle,
    mode,
    ignored: matcher(config['ignore-names']),
    parts: series,
    open: (path, facts) => {
      const spacing = config.spacing ?? parts.models.current.bundle.spacing;
      const given = { ...follow, series, spacing, mpp: config.mpp, id: idBelow(folder, path), signal };
      return openLiveOrWhole(path, facts, given);
    },
    signal,
  });
  const isUrgent = matcher(config.urgent);
  const tasks = from(arrivals).pipe(map(arrival => taskOf(folder, arrival, isUrgent)));
  const slidesAtOnce = Math.max(parts.slidesAtOnce, LIVE_SLIDES_AT_ONCE);
  return segmentSlides(tasks, { ...parts, slidesAtOnce }, signal).pipe(filter(isNews()));
}

/** A slide that was completed here and whose file was touched afterwards, to no effect, is not worth a word. */
function isNews(): (result: SlideResult) => boolean {
  const completed = new Set<string>();
  return ({ state, path }) => {
    if (state === 'completed') completed.add(path);
    return state !== 'done-before' || !completed.has(path);
  };
}

function taskOf(
  folder: string,
  arrival: Arrival<OpenedSlide | LiveSlide>,
  isUrgent: (path: string) => boolean,
): SlideTask {
  const { path } = arrival;
  const task = { path, id: idBelow(folder, path), urgent: isUrgent(relative(folder, path)) };
  if ('error' in arrival) return { ...task, open: () => Promise.reject(arrival.error) };
  const { opened } = arrival;
  if ('follow' in opened) return { ...task, live: opened, open: () => Promise.resolve(opened.opened) };
  return { ...task, open: () => Promise.resolve(opened) };
}

/** Slides of two case folders may have one name: the folder is part of the id. */
function idBelow(folder: string, path: string): string {
  const { manifest, region } = splitRegion(path);
  // A folder of tiles is called by its own name, not by that of the manifest in it; folders have no extension to drop.
  const isFolder = isTileManifest(manifest) && !isDeepZoom(manifest);
  const name = relative(folder, isFolder ? folderOf(manifest) : manifest) || basename(resolve(folder));
  const named = region === undefined ? name : `${name}/${region}`;
  return slideId(`${named.replaceAll('/', '--')}${isFolder || !isSlideName(manifest) ? '.' : ''}`);
}
