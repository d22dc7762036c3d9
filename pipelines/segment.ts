import {
  connect,
  filter,
  finalize,
  identity,
  ignoreElements,
  isObservable,
  map,
  merge,
  mergeMap,
  type Observable,
} from 'rxjs';
import { StromaflowError } from '../src/errors.js';
import { acknowledge } from '../src/stage/acknowledge.js';
import { announce } from '../src/stage/announce.js';
import { blend } from '../src/stage/blend.js';
import { credit } from '../src/stage/credit.js';
import { FairQueue } from '../src/stage/fair-queue.js';
import { filterAreas } from '../src/stage/filter-areas.js';
import { infer } from '../src/stage/infer.js';
import { hasTissue, type ReadPatch, type SettledPatch } from '../src/stage/item.js';
import { outcome } from '../src/stage/outcome.js';
import { PatchTraces } from '../src/stage/patch-traces.js';
import { DRAIN_SECONDS, patience } from '../src/stage/patience.js';
import { publish } from '../src/stage/publish.js';
import { pull } from '../src/stage/pull.js';
import { read } from '../src/stage/read.js';
import { score } from '../src/stage/score.js';
import type { DuePatch } from '../src/stage/session.js';
import { store } from '../src/stage/store.js';
import { Turns } from '../src/stage/turns.js';
import { handOutPatches } from './ingest.js';
import type { Parts } from './parts.js';
import { runSlide } from './run-slide.js';
import type { SlideResult } from './slide-result.js';
import type { SlideTask } from './slide-task.js';

/**
 * The graph every use shares: due patches in, outcomes out. It never fails because of a patch or a slide, holds at most
 * as many patches as there are credits, and after an abort lets out what is inside. `traces.stage` keeps a stage's time where traces are wanted.
 *
 *     due ─credit→ read → [afterRead] → tissue? ─yes→ infer (batch → segment) ─┐
 *                                          └────────────no─────────────────────┴→ [blend] → outcome → [filterAreas] → score → store → publish → acknowledge → announce
 */
export function segmentPatches(
  due: AsyncIterable<DuePatch>,
  parts: Parts,
  signal: AbortSignal,
): Observable<SettledPatch> {
  const { bus, config, credits, observer } = parts;
  const traces = new PatchTraces(parts.tracer);
  const giveUp = patience(signal, DRAIN_SECONDS);
  const lacksTissue = (patch: ReadPatch): boolean => !hasTissue(patch);

  const read$ = credit(due, credits, observer, signal).pipe(
    map(({ item, slot }) => ({ ...item, slot })),
    traces.stage('read', read(observer, signal)),
    parts.afterRead ?? identity<Observable<ReadPatch>>,
  );
  return read$.pipe(
    connect(patch$ =>
      merge(
        patch$.pipe(
          filter(hasTissue),
          traces.stage('segment', infer({ delayMs: config['batch-delay'], observer, traces })),
        ),
        patch$.pipe(filter(lacksTissue)),
      ),
    ),
    blend(credits, observer),
    outcome(observer),
    filterAreas(credits, observer),
    score(),
    traces.stage('store', store(observer)),
    traces.stage('publish', publish(bus, observer, giveUp, traces)),
    traces.lastStage('acknowledge', acknowledge(credits, observer)),
    announce(bus, config['aggregate-interval'], giveUp),
  );
}

/**
 * Slides in, one result each out: several at once, their patches sharing one graph. Completes when all are done. Tasks that
 * can be pulled are asked for when there is room for them.
 *
 * @throws CONFIG_INVALID for an operator of one's own where workers would go past it
 */
export function segmentSlides(
  tasks: Observable<SlideTask> | AsyncIterable<SlideTask>,
  parts: Parts,
  signal: AbortSignal,
): Observable<SlideResult> {
  if (parts.workers && parts.afterRead)
    throw new StromaflowError(
      'CONFIG_INVALID',
      'workers read and segment by themselves: afterRead would look at nothing',
      {
        fix: 'leave it away, or leave --role ingest away',
      },
    );
  const due = new FairQueue<DuePatch>({ signal, dropped: patch => patch.session.leave() });
  const turns = parts.retries?.turns ?? new Turns();
  // Whatever gives out tasks: one slide's results, run and name are never two sessions' at the same time.
  const run = (task: SlideTask) => turns.take(task.id.toLowerCase(), () => runSlide(task, due, parts, signal));
  const results = isObservable(tasks)
    ? tasks.pipe(mergeMap(run, parts.slidesAtOnce))
    : pull(tasks, run, parts.slidesAtOnce);
  const patches = parts.workers
    ? handOutPatches(due, parts, parts.workers, signal)
    : segmentPatches(due, parts, signal);
  return merge(patches.pipe(ignoreElements()), results.pipe(finalize(() => due.close())));
}
