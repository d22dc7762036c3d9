import { realpathSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { concatMap, filter, from, type Observable } from 'rxjs';
import type { ErrorCode } from '../src/errors.js';
import { SeriesIndex } from '../src/live/dicom/series-index.js';
import { isRunOf, wasCompleted } from '../src/live/growth-of.js';
import { KnownFailures } from '../src/live/known-failures.js';
import type { LiveSlide } from '../src/live/live-slide.js';
import { openLiveOrWhole } from '../src/live/open-live.js';
import type { WholeSlide } from '../src/live/whole-slide.js';
import { slideId } from '../src/slide/open.js';
import { splitScene } from '../src/slide/scene-path.js';
import { splitRegion } from '../src/slide/tile-folder/find-tiles.js';
import { folderOf, isDeepZoom, isTileManifest } from '../src/slide/tile-folder/read-tile-set.js';
import { SlideNames, sourceAt } from '../src/store/slide-names.js';
import { isSlideName, matcher } from '../src/watch/names.js';
import { type Arrival, usesEvents, type WatchMode, watchFolder } from '../src/watch/watch-folder.js';
import { type PresenceChange, WatchedFolder } from '../src/watch/watched-folder.js';
import { FITTED_AT_ONCE } from './fit-norms.js';
import type { Parts } from './parts.js';
import { segmentSlides } from './segment.js';
import type { SlideResult } from './slide-result.js';
import type { SlideTask } from './slide-task.js';

/** Growing slides mostly wait for their scanner, so more may be open than whole ones; memory is bounded by credits. */
const LIVE_SLIDES_AT_ONCE = 16;

export interface LiveOptions {
  /** Stands for the folder where slides are remembered by where they lie. @default its path */
  readonly place?: string;
  /** Hears, in a line, of slides that are not called by their files. */
  readonly say?: (line: string) => void;
}

/** The folder to watch, by the options. `onChange` hears when it goes away and when it is back. */
export function watchedFolder(
  path: string,
  config: Parts['config'],
  onChange?: (change: PresenceChange) => void,
): WatchedFolder {
  const root = resolve(path);
  const isIgnored = matcher(config['ignore-names']);
  return new WatchedFolder(root, below => isIgnored(relative(root, below)), onChange);
}

/**
 * A scanner's output folder, live:
 *
 *     folder ─watch→ slides, whole or growing ─open→ sessions ─plan→ patches as they become due → the graph of segment.ts
 *
 * Goes on until the signal aborts; a slide that fails is a result like any other.
 *
 * @param given as `watchedFolder` makes it, for one who wants to know whether it is there.
 * @param options see there.
 */
export function segmentLive(
  given: string | WatchedFolder,
  parts: Parts,
  signal: AbortSignal,
  { place, say = () => undefined }: LiveOptions = {},
): Observable<SlideResult> {
  const { config, ledger } = parts;
  const folder = typeof given === 'string' ? watchedFolder(given, config) : given;
  const { root } = folder;
  const mode = config['watch-mode'] as WatchMode;
  const follow = {
    pollSeconds: config.poll,
    stallSeconds: config['incomplete-after'],
    settleSeconds: config.settle,
    events: usesEvents(root, mode),
    presence: folder,
  };
  const series = new SeriesIndex(root);
  const names = new SlideNames(ledger, config.out);
  const sourceOf = sourcesBelow(root, place ?? realpathSync(root), series);
  const paths = new Map<string, string>();
  const revisits = new Set<string>();
  if (parts.retries)
    parts.retries.onAgain = slide => {
      const path = paths.get(slide);
      if (path !== undefined) revisits.add(path);
    };
  const arrivals = watchFolder(root, {
    pollSeconds: config.poll,
    settleSeconds: config.settle,
    patienceSeconds: config['incomplete-after'],
    mode,
    folder,
    parts: series,
    revisits,
    open: (path, facts) => {
      const spacing = config.spacing ?? parts.models.current.model.spacing;
      const name = names.known(sourceOf(path));
      const run = name === undefined ? undefined : ledger.find(name);
      return openLiveOrWhole(path, facts, {
        ...follow,
        series,
        spacing,
        mpp: config.mpp,
        id: idBelow(root, path),
        isKnown: slide => run !== undefined && wasCompleted(slide, run),
        signal,
      });
    },
    signal,
  });
  const isUrgent = matcher(config.urgent);
  const failures = new KnownFailures();
  const completed = new Set<string>();
  const taskOf = async (arrival: Arrival<WholeSlide | LiveSlide>): Promise<SlideTask> => {
    const { path } = arrival;
    const base = idBelow(root, path);
    const urgent = isUrgent(relative(root, path));
    const hasFailedBefore = (code: ErrorCode): boolean => failures.repeats(path, code);
    const task = { path, id: base, urgent, presence: folder, hasFailedBefore, wasCompleted: completed.has(path) };
    try {
      const isSame = 'opened' in arrival ? { isSame: isRunOf(arrival.opened) } : {};
      const named = { source: sourceOf(path), base, ...isSame };
      const isNew = names.known(named.source) === undefined;
      const id = await names.give(named);
      paths.set(id, path);
      const line = isNew ? names.explain(named, id) : undefined;
      if (line !== undefined) say(line);
      if ('error' in arrival) return { ...task, id, open: () => Promise.reject(arrival.error) };
      const { opened } = arrival;
      const { info } = opened.opened;
      const open = async () => ({ ...opened.opened, info: { ...info, id } });
      return { ...task, id, open, ...('follow' in opened ? { live: opened } : { whole: opened }) };
    } catch (error) {
      return { ...task, open: () => Promise.reject(error) };
    }
  };
  const slidesAtOnce = parts.fits ? FITTED_AT_ONCE : Math.max(parts.slidesAtOnce, LIVE_SLIDES_AT_ONCE);
  const tasks = from(arrivals).pipe(concatMap(taskOf));
  return segmentSlides(tasks, { ...parts, slidesAtOnce }, signal).pipe(filter(isNews(failures, completed)));
}

/** A slide that was completed here and whose file was touched afterwards, to no effect, is not worth a word; nor is one that was
 * written anew before its turn came, nor one that fails as it did before. Adds to the paths of what was completed. */
function isNews(failures: KnownFailures, completed: Set<string>): (result: SlideResult) => boolean {
  return result => {
    if (result.state === 'failed') return result.repeated !== true;
    const isOvertaken = result.state === 'incomplete' && result.expected === 0;
    if (!isOvertaken) failures.forget(result.path);
    if (result.state === 'completed') completed.add(result.path);
    if (isOvertaken) return false;
    return result.state !== 'done-before' || !completed.has(result.path);
  };
}

/** What tells slides of one name apart: where they lie, and which of several there they are. */
function sourcesBelow(root: string, place: string, series: SeriesIndex): (path: string) => string {
  return path => {
    const { file, scene } = splitScene(path);
    const { manifest, region } = splitRegion(file);
    const dicom = series.find(path);
    const at = join(place, relative(root, dicom ? dicom.folder : manifest));
    return sourceAt(at, dicom ? dicom.tag : (region ?? scene?.toString()));
  };
}

/** Slides of two case folders may have one name: the folder is part of the id. */
function idBelow(folder: string, path: string): string {
  const { file, scene } = splitScene(path);
  const { manifest, region } = splitRegion(file);
  // A folder of tiles is called by its own name, not by that of the manifest in it; folders have no extension to drop.
  const isFolder = isTileManifest(manifest) && !isDeepZoom(manifest);
  const name = relative(folder, isFolder ? folderOf(manifest) : manifest) || basename(resolve(folder));
  const named = region === undefined ? name : `${name}/${region}`;
  const id = slideId(`${named.replaceAll('/', '--')}${isFolder || !isSlideName(manifest) ? '.' : ''}`);
  return scene === undefined ? id : `${id}-scene${scene}`;
}
