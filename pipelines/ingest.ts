import { map, type Observable, tap } from 'rxjs';
import { acknowledge } from '../src/stage/acknowledge.js';
import { announce } from '../src/stage/announce.js';
import { credit } from '../src/stage/credit.js';
import type { SettledPatch } from '../src/stage/item.js';
import { tellDrops } from '../src/stage/outcome.js';
import { PatchTraces } from '../src/stage/patch-traces.js';
import { DRAIN_SECONDS, patience } from '../src/stage/patience.js';
import { publish } from '../src/stage/publish.js';
import { score } from '../src/stage/score.js';
import type { DuePatch } from '../src/stage/session.js';
import { store } from '../src/stage/store.js';
import type { Workers } from '../src/tasks/workers.js';
import type { Parts } from './parts.js';

/**
 * The graph of one whose patches are segmented by workers (worker.ts):
 *
 *     due ─credit→ tasks ─queue→ … workers … ─outcomes→ score → store → publish → acknowledge → announce
 *
 * From the outcome on it is the graph of segment.ts: what is written, published and recorded, and in which order, is the same.
 */
export function handOutPatches(
  due: AsyncIterable<DuePatch>,
  { bus, config, credits, observer, tracer }: Parts,
  workers: Workers,
  signal: AbortSignal,
): Observable<SettledPatch> {
  const giveUp = patience(signal, DRAIN_SECONDS);
  const traces = new PatchTraces(tracer, 'task', 'workers');
  workers.onTask = patches => traces.batched(patches);
  return credit(due, credits, observer, signal).pipe(
    map(({ item, slot }) => ({ ...item, slot })),
    traces.stage('workers', workers.stage(signal)),
    tellDrops(observer),
    score(),
    traces.stage('store', store(observer)),
    traces.stage('publish', publish(bus, observer, giveUp, traces)),
    traces.lastStage('acknowledge', acknowledge(credits, observer)),
    tap(patch => workers.left(patch)),
    announce(bus, config['aggregate-interval'], giveUp),
  );
}
