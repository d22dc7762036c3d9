import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type StromaflowError, toStromaflowError } from '../src/errors.js';
import { modelTag } from '../src/event/contract.js';
import { duePatches } from '../src/live/due-patches.js';
import type { Growth } from '../src/live/live-slide.js';
import { patchRef } from '../src/read/plan.js';
import { DICOM_KIND } from '../src/slide/dicom/description.js';
import { GROWING_DICOM_KIND } from '../src/slide/dicom/growing-dicom-source.js';
import { readSegmentedSeries, type SegmentedSeries } from '../src/slide/dicom/segmented-series.js';
import { sampleFileAt } from '../src/slide/file-samples.js';
import type { SlideNote } from '../src/slide/note.js';
import { fileAt } from '../src/slide/open.js';
import { kept, publishAggregate, publishProgress, saidBesides } from '../src/stage/announce.js';
import type { FairQueue } from '../src/stage/fair-queue.js';
import type { Lack } from '../src/stage/lack.js';
import { DRAIN_SECONDS, patience } from '../src/stage/patience.js';
import type { DuePatch, SlideSession } from '../src/stage/session.js';
import { isSegmentable } from '../src/store/dicom-seg.js';
import { REPLACED } from '../src/store/run-key.js';
import type { SlideSummary } from '../src/store/summary.js';
import { withoutFolders } from '../src/text.js';
import { growingOf, openSession } from './open-session.js';
import type { Parts } from './parts.js';
import type { SlideTask } from './slide-task.js';
import { summarise } from './summarise.js';
import { type TakenModel, takeModel } from './taken-model.js';

const REPAINTS_AT_ONCE = 4;

/** Patches of an urgent slide for one of another. */
const URGENT_SHARE = 4;

/** Longest wait for a bus that is away before a failure goes unreported. */
const REPORT_MS = 2000;

export type SlideResult = { readonly path: string; readonly id: string } & (
  | { readonly state: 'completed'; readonly summary: SlideSummary; readonly folder: string }
  /** The ledger says it was completed by an earlier start. */
  | { readonly state: 'done-before'; readonly folder: string }
  | { readonly state: 'interrupted'; readonly done: number; readonly expected: number }
  /** A slide that grew ended early, or one lacks too much of what it lists; it is taken up again when its file changes. */
  | {
      readonly state: 'incomplete';
      readonly reason: LiveReason | Lack;
      readonly done: number;
      readonly expected: number;
      /** For people: what it waits for. */
      readonly lacks?: string;
      /** Where every patch has an outcome: what was found so far, and its files. */
      readonly summary?: SlideSummary;
      readonly folder?: string;
    }
  | {
      readonly state: 'failed';
      readonly error: StromaflowError;
      /** It failed like this before, and nobody was told again. */
      readonly repeated?: true;
    }
);

/**
 * Takes one slide through the graph: opens it, puts its due patches in the queue, waits until they have drained, and
 * finishes it. Never rejects: whatever goes wrong with a slide is its result, and other slides go on.
 */
export async function runSlide(
  task: SlideTask,
  due: FairQueue<DuePatch>,
  parts: Parts,
  signal: AbortSignal,
): Promise<SlideResult> {
  const { path, id } = task;
  let session: SlideSession | undefined;
  let taken: TakenModel | undefined;
  let again = false;
  try {
    if (signal.aborted) return { path, id, state: 'interrupted', done: 0, expected: 0 };
    if (task.whole && !(await task.whole.isSame(signal))) return overtaken(task, 'replaced');
    const opened = await whileThere(task, signal, async () => {
      const slide = await task.open(signal);
      const folder = join(parts.config.out, slide.info.id);
      taken ??= await takeModel(slide, task, parts, signal);
      const giveUp = patience(signal, DRAIN_SECONDS);
      return { folder, session: await openSession(slide, folder, task, parts, taken, giveUp) };
    });
    const { folder } = opened;
    session = opened.session;
    if (!session) return { path, id, state: 'done-before', folder };
    parts.onOpened(session);
    if (!signal.aborted) {
      due.add(duePatchesOf(session, task, taken, signal), task.urgent ? URGENT_SHARE : 1);
      await session.drained;
    }
    if (session.failure && !signal.aborted) throw session.failure;
    await task.whole?.isSame(signal);
    if (!session.aggregate.complete || reasonOf(task, session) !== 'interrupted') {
      again = true;
      return await suspend(session, task, parts);
    }
    await repaint(session, parts, signal);
    return { path, id, folder, ...(await finish(session, task, parts, patience(signal, DRAIN_SECONDS))) };
  } catch (error) {
    const failure = toStromaflowError(error, 'SLIDE_UNREADABLE', path);
    if (signal.aborted && !session) return { path, id, state: 'interrupted', done: 0, expected: 0 };
    if (!session && task.whole && !(await task.whole.isSame(signal))) return overtaken(task, 'replaced');
    if (!session && hasGone(task)) return overtaken(task, 'gone');
    const isKnown = task.hasFailedBefore?.(failure.code) ?? false;
    // Of a session subscribers know that it was opened: they hear of its end, too.
    if (isKnown && !session) return { path, id, state: 'failed', error: failure, repeated: true };
    await reportFailure(task, session, failure, parts);
    return { path, id, state: 'failed', error: failure };
  } finally {
    await session?.close().catch(() => undefined);
    await taken?.release();
    await task.live?.close();
    task.whole?.close(again);
  }
}

/** What was written anew, moved or deleted before its session began is no slide that failed. */
const overtaken = ({ path, id }: SlideTask, reason: LiveReason): SlideResult => ({
  ...{ path, id, state: 'incomplete', reason },
  ...{ done: 0, expected: 0 },
});

function hasGone({ live, whole }: SlideTask): boolean {
  const at = (live ?? whole)?.opened.info.path;
  return at !== undefined && !existsSync(fileAt(at));
}

/** Does what cannot be done while the folder is away once more when it is back. */
async function whileThere<T>({ path, presence }: SlideTask, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const outages = presence?.outages;
    try {
      return await work();
    } catch (error) {
      const wasAway = presence && (presence.isAway(path) || presence.outages !== outages);
      if (!wasAway || !(await presence.back(path, signal))) throw error;
    }
  }
}

/**
 * What earlier starts read but could not keep for the overview is read again for the picture alone. A patch that cannot
 * be read now stays white.
 */
async function repaint(session: SlideSession, { slots, workers }: Parts, signal: AbortSignal): Promise<void> {
  // What workers read they painted nowhere.
  const todo = workers ? [...session.aggregate.records()] : [...session.output.unpainted];
  const paint = async (): Promise<void> => {
    for (let record = todo.pop(); record; record = todo.pop()) {
      const slot = await slots.acquire(signal);
      if (slot === undefined) return;
      await session.reader.read(patchRef(session.plan, record.col, record.row), slot).catch(() => undefined);
      slots.release(slot);
    }
  };
  await Promise.all(Array.from({ length: REPAINTS_AT_ONCE }, paint));
}

/**
 * Writes the final outputs, then says so: on the bus, last of all in the ledger. A slide that lacks too much is written as far as
 * it goes, and stays open: what is missing and what failed is tried again by the next start.
 */
async function finish(session: SlideSession, task: SlideTask, parts: Parts, giveUp: AbortSignal): Promise<Finish> {
  const { live } = task;
  const { bus, events } = parts;
  const { run, lack } = session;
  const aggregate = session.nextAggregate(lack === undefined);
  const found = summarise(session, aggregate, parts);
  const { source, note } = await segmentedSeries(session, parts);
  const summary = await session.output.finish({ ...found, notes: [...found.notes, ...note] }, source);
  await publishAggregate(session, aggregate, bus, giveUp);
  if (lack) {
    const ending = events.slide('incomplete', { ...finished(session), reason: lack });
    await bus.publish(ending, giveUp);
    const said = saidBesides(session, bus, { ending: kept(ending) });
    await run.update({ ...run.state, ...said, ...(live && { tilesSeen: live.tiles.seen }), state: 'incomplete' });
    const { expected, segmented, empty } = aggregate.patches;
    return { state: 'incomplete', reason: lack, done: segmented + empty, expected, summary };
  }
  const seamScore = summary.seams?.score ?? undefined;
  const seams = seamScore === undefined ? {} : { seamScore };
  const ending = events.slide('completed', { ...finished(session), ...seams });
  await bus.publish(ending, giveUp);
  const growth = growingOf(task);
  const said = saidBesides(session, bus, { ending: kept(ending) });
  await run.update({ ...run.state, ...said, ...(growth && contentOf(growth, session.plan.level)), state: 'completed' });
  return { state: 'completed', summary };
}

/** What DICOM segmentations of a slide are of; a slide that cannot have any has a note why. */
async function segmentedSeries(
  { slide, plan, viewed }: SlideSession,
  { config }: Parts,
): Promise<{ source?: SegmentedSeries; note: readonly SlideNote[] }> {
  const kind = viewed?.source.description.kind;
  if (config['dicom-seg'] === 'off' || (kind !== DICOM_KIND && kind !== GROWING_DICOM_KIND)) return { note: [] };
  const leftOut = (why: string): { note: readonly SlideNote[] } => ({
    note: [{ code: 'output-left-out', message: `no DICOM segmentation was written: ${why}` }],
  });
  try {
    const source = await readSegmentedSeries(slide.path);
    if (isSegmentable(plan, source)) return { source, note: [] };
    return leftOut('the spacing of the masks is that of no level of the slide');
  } catch (error) {
    return leftOut(withoutFolders(toStromaflowError(error, 'SLIDE_UNREADABLE').message));
  }
}

type Finish =
  | { readonly state: 'completed'; readonly summary: SlideSummary }
  | {
      readonly state: 'incomplete';
      readonly reason: Lack;
      readonly done: number;
      readonly expected: number;
      readonly summary: SlideSummary;
    };

/** Of a slide that was moved away as soon as it was done nobody will ask for it. */
function contentOf(growth: Growth, level: number): { finished?: string } {
  try {
    return { finished: growth.content(level) };
  } catch {
    return {};
  }
}

/** Ends a slide that has not all its outcomes, or outcomes of pixels that are no longer true. */
async function suspend(session: SlideSession, task: SlideTask, { bus, events }: Parts): Promise<SlideResult> {
  const { path, id } = task;
  const reason = reasonOf(task, session);
  const { run } = session;
  if (reason === 'replaced') await run.update({ ...run.state, state: 'incomplete', finished: REPLACED });
  else if (reason !== 'interrupted') {
    const seen = task.live && { tilesSeen: task.live.tiles.seen };
    await run.update({ ...run.state, state: 'incomplete', ...seen });
  }
  const giveUp = AbortSignal.timeout(REPORT_MS);
  try {
    await publishProgress(session, bus, giveUp);
    const ending = events.slide('incomplete', { ...finished(session), reason });
    await bus.publish(ending, giveUp);
    await run.update({ ...run.state, ...saidBesides(session, bus, { ending: kept(ending) }) });
  } catch {
    // The bus is away; the next start says more than this event could.
  }
  const { expected } = session.aggregate.counts(false);
  const done = session.aggregate.settled;
  if (reason === 'interrupted') return { path, id, state: reason, done, expected };
  const lacks = reason === 'stalled' ? task.live?.lacks : undefined;
  return { path, id, state: 'incomplete', reason, done, expected, ...(lacks === undefined ? {} : { lacks }) };
}

/** Why a growing slide ended before it was complete. */
export type LiveReason = 'stalled' | 'replaced' | 'gone';

function reasonOf({ live, whole }: SlideTask, { aggregate }: SlideSession): LiveReason | 'interrupted' {
  // What was read of a whole slide before it was moved away is as true as if it were still there.
  if (whole?.state === 'gone') return aggregate.counts(false).failed > 0 ? 'gone' : 'interrupted';
  const state = live?.state ?? whole?.state;
  return state === 'stalled' || state === 'replaced' ? state : live?.state === 'gone' ? 'gone' : 'interrupted';
}

/** All of a whole slide at once; of a growing one each patch when its tiles are there. */
function duePatchesOf(
  session: SlideSession,
  { live, whole }: SlideTask,
  taken: TakenModel | undefined,
  signal: AbortSignal,
) {
  if (!live) return whole ? until(whole.replaced, session.due()) : session.due();
  if (taken?.ready) return session.dueWhenReady(taken.ready(session.failed));
  const stop = AbortSignal.any([signal, session.failed]);
  return session.dueWhenReady(duePatches(live, session.plan, stop));
}

function* until<T>(over: AbortSignal, items: Generator<T, void, undefined>): Generator<T, void, undefined> {
  try {
    while (!over.aborted) {
      const next = items.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    items.return();
  }
}

const finished = (session: SlideSession) => {
  const iou = session.aggregate.iou();
  const { tiles } = session;
  return {
    slide: session.slide.id,
    run: session.runToken,
    revision: session.revision,
    patches: session.aggregate.counts(session.aggregate.complete),
    area: session.aggregate.areas(),
    ...(tiles ? { tiles } : {}),
    ...(iou ? { iou } : {}),
    model: modelTag(session.engine),
    seconds: session.seconds,
  };
};

/** A bus that cannot be reached must neither hide the failure itself nor hold it up. */
async function reportFailure(
  task: SlideTask,
  session: SlideSession | undefined,
  { code, message, fix }: StromaflowError,
  { bus, events }: Parts,
): Promise<void> {
  const run = session ? { run: session.runToken } : {};
  const failed = { slide: task.id, ...run, error: { code, message, fix } };
  const event = events.slide('failed', failed, session ? String(session.revision) : contentOfFailed(task));
  await bus.publish(event, AbortSignal.timeout(REPORT_MS)).catch(() => undefined);
}

/** Names what a slide without a session holds; undefined where that is many files or none. */
function contentOfFailed({ path, live, whole }: SlideTask): string | undefined {
  if (live) return live.growth.identity;
  if (whole) return whole.opened.info.fingerprint;
  try {
    const file = fileAt(path);
    return statSync(file).isFile() ? sampleFileAt(file) : undefined;
  } catch {
    return undefined;
  }
}
