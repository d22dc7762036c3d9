import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StromaflowError, toStromaflowError } from '../src/errors.js';
import { traced } from '../src/event/bus.js';
import { modelTag } from '../src/event/contract.js';
import { duePatches, type ReadyPatch } from '../src/live/due-patches.js';
import type { LiveSlide } from '../src/live/live-slide.js';
import type { PatchPlan } from '../src/read/patch.js';
import { patchRef, patchRefs } from '../src/read/plan.js';
import { sampleFileAt } from '../src/slide/file-samples.js';
import { fileAt } from '../src/slide/open.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import type { FairQueue } from '../src/stage/fair-queue.js';
import { DRAIN_SECONDS, patience } from '../src/stage/patience.js';
import type { DuePatch, SlideSession } from '../src/stage/session.js';
import { SlideTrace } from '../src/stage/slide-trace.js';
import { inWindow } from '../src/stage/window.js';
import type { Attributes } from '../src/trace/tracer.js';
import { finish, REPORT_MS, reasonOf, suspend } from './end-slide.js';
import { openSession } from './open-session.js';
import type { Parts } from './parts.js';
import type { LiveReason, SlideResult } from './slide-result.js';
import type { SlideTask } from './slide-task.js';
import { type TakenModel, takeModel } from './taken-model.js';

const REPAINTS_AT_ONCE = 4;
/** Times that a slide is tried whose folder may have been away for a moment. */
const BLINKS = 3;

/** Patches of an urgent slide for one of another. */
const URGENT_SHARE = 4;

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
  const { tracer } = parts;
  if (!tracer) return run(task, due, parts, signal);
  const trace = SlideTrace.begin(tracer, { 'stromaflow.slide': task.id });
  const result = await run(task, due, parts, signal, trace);
  const reason = 'reason' in result ? { 'stromaflow.reason': result.reason } : {};
  trace.end({ 'stromaflow.state': result.state, ...reason }, result.state === 'failed' ? result.error.code : undefined);
  return result;
}

async function run(
  task: SlideTask,
  due: FairQueue<DuePatch>,
  parts: Parts,
  signal: AbortSignal,
  trace?: SlideTrace,
): Promise<SlideResult> {
  const { path, id } = task;
  let session: SlideSession | undefined;
  let taken: TakenModel | undefined;
  let slide: OpenedSlide | undefined;
  let again = false;
  try {
    if (signal.aborted) return { path, id, state: 'interrupted', done: 0, expected: 0 };
    if (task.whole && !(await task.whole.isSame(signal))) return overtaken(task, 'replaced');
    const opening = trace?.part('open');
    const opened = await whileThere(task, signal, async () => {
      slide?.remote?.close();
      slide = await task.open(signal);
      const folder = join(parts.config.out, slide.info.id);
      taken ??= await takeModel(slide, task, parts, signal);
      const giveUp = patience(signal, DRAIN_SECONDS);
      return { folder, session: await openSession(slide, folder, task, parts, taken, giveUp, trace) };
    }).finally(() => opening?.end());
    const { folder } = opened;
    session = opened.session;
    if (!session) return { path, id, state: 'done-before', folder };
    trace?.know(aboutSlide(session));
    parts.onOpened(session);
    if (!signal.aborted) {
      due.add(duePatchesOf(session, task, taken, parts, signal), task.urgent ? URGENT_SHARE : 1);
      await session.drained;
    }
    if (session.failure && !signal.aborted) throw session.failure;
    await task.whole?.isSame(signal);
    if (!session.aggregate.complete || reasonOf(task, session) !== 'interrupted') {
      again = true;
      return await suspend(session, task, parts);
    }
    const finishing = trace?.part('finish');
    try {
      await repaint(session, parts, signal);
      return { path, id, folder, ...(await finish(session, task, parts, patience(signal, DRAIN_SECONDS))) };
    } finally {
      finishing?.end();
    }
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
    if (session) await parts.workers?.over(session);
    if (session) trace?.know(countsOf(session));
    await session?.close().catch(() => undefined);
    slide?.remote?.close();
    await taken?.release();
    await task.live?.close();
    task.whole?.close(again);
  }
}

const aboutSlide = ({ slide, runToken, engine, resumedPatches, grows }: SlideSession): Attributes => ({
  'stromaflow.run': runToken,
  'stromaflow.format': slide.format,
  'stromaflow.model': modelTag(engine),
  'stromaflow.resumed_patches': resumedPatches,
  'stromaflow.grows': grows,
});

const countsOf = ({ aggregate }: SlideSession): Attributes =>
  Object.fromEntries(
    Object.entries(aggregate.counts(aggregate.complete)).map(([outcome, patches]) => [
      `stromaflow.patches.${outcome}`,
      patches,
    ]),
  );

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
async function whileThere<T>(task: SlideTask, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { path, presence } = task;
  for (let tries = 1; ; tries++) {
    const outages = presence?.outages;
    try {
      return await work();
    } catch (error) {
      const wasAway = presence && (presence.isAway(path) || presence.outages !== outages);
      const mayHaveBeen = tries < BLINKS && isThereAgain(task, error);
      if (!(wasAway || mayHaveBeen) || (presence && !(await presence.back(path, signal)))) throw error;
    }
  }
}

/** What was opened by the watcher could not be opened again, and is there: its folder may have been away too shortly for anybody to see. */
const isThereAgain = (task: SlideTask, error: unknown): boolean =>
  (task.live ?? task.whole) !== undefined &&
  error instanceof StromaflowError &&
  error.code === 'SLIDE_UNREADABLE' &&
  !hasGone(task);

/**
 * What earlier starts read but could not keep for the overview is read again for the picture alone. A patch that cannot
 * be read now stays white.
 */
async function repaint(session: SlideSession, { slots, workers }: Parts, signal: AbortSignal): Promise<void> {
  // What workers read they painted nowhere.
  const todo = (workers ? session.aggregate.records() : session.output.unpainted)[Symbol.iterator]();
  const paint = async (): Promise<void> => {
    for (let next = todo.next(); !next.done; next = todo.next()) {
      const { col, row } = next.value;
      const slot = await slots.acquire(signal);
      if (slot === undefined) return;
      await session.reader.read(patchRef(session.plan, col, row), slot).catch(() => undefined);
      slots.release(slot);
    }
  };
  await Promise.all(Array.from({ length: REPAINTS_AT_ONCE }, paint));
}

/** All of a whole slide at once; of a growing one each patch when its tiles are there. */
function duePatchesOf(
  session: SlideSession,
  { live, whole }: SlideTask,
  taken: TakenModel | undefined,
  { credits }: Parts,
  signal: AbortSignal,
) {
  const stop = AbortSignal.any([signal, session.failed]);
  const readyOf = (slide: LiveSlide) =>
    taken?.ready ? taken.ready(session.failed) : duePatches(slide, session.plan, stop);
  const { blended, openBelow, closeBelow } = session.plan;
  const meets = blended || openBelow !== undefined || closeBelow !== undefined;
  if (live) return meets ? inWindow(session, readyOf(live), credits.total, stop) : session.dueWhenReady(readyOf(live));
  const over = whole?.replaced ?? new AbortController().signal;
  if (meets) return inWindow(session, readyNow(session.plan, over), credits.total, stop);
  // Not cut off from outside: what was never begun would never end, and the slide would wait for its last patch for ever.
  return session.due(over);
}

function* readyNow(plan: PatchPlan, over: AbortSignal): Generator<ReadyPatch, void, undefined> {
  for (const ref of patchRefs(plan)) {
    if (over.aborted) return;
    yield { ref, at: performance.now() };
  }
}

/** A bus that cannot be reached must neither hide the failure itself nor hold it up. */
async function reportFailure(
  task: SlideTask,
  session: SlideSession | undefined,
  { code, message, fix }: StromaflowError,
  { bus, events }: Parts,
): Promise<void> {
  const run = session ? { run: session.runToken } : {};
  const failed = { slide: task.id, ...run, error: { code, message, fix } };
  const content = session ? String(session.revision) : contentOfFailed(task);
  const event = traced(events.slide('failed', failed, content), session?.trace?.traceparent);
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
