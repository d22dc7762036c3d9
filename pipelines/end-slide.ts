import { toStromaflowError } from '../src/errors.js';
import { traced } from '../src/event/bus.js';
import { modelTag } from '../src/event/contract.js';
import type { Growth } from '../src/live/live-slide.js';
import { DICOM_KIND } from '../src/slide/dicom/description.js';
import { GROWING_DICOM_KIND } from '../src/slide/dicom/growing-dicom-source.js';
import { readSegmentedSeries, type SegmentedSeries } from '../src/slide/dicom/segmented-series.js';
import type { SlideNote } from '../src/slide/note.js';
import { kept, publishAggregate, publishProgress, saidBesides } from '../src/stage/announce.js';
import type { Lack } from '../src/stage/lack.js';
import type { SlideSession } from '../src/stage/session.js';
import { isSegmentable } from '../src/store/dicom-seg.js';
import { REPLACED } from '../src/store/run-key.js';
import type { SlideSummary } from '../src/store/summary.js';
import { withoutFolders } from '../src/text.js';
import { growingOf } from './open-session.js';
import type { Parts } from './parts.js';
import type { LiveReason, SlideResult } from './slide-result.js';
import type { SlideTask } from './slide-task.js';
import { summarise } from './summarise.js';

/** Longest wait for a bus that is away before an end goes unreported. */
export const REPORT_MS = 2000;

/**
 * Writes the final outputs, then says so: on the bus, last of all in the ledger. A slide that lacks too much is written as far as
 * it goes, and stays open: what is missing and what failed is tried again by the next start.
 */
export async function finish(
  session: SlideSession,
  task: SlideTask,
  parts: Parts,
  giveUp: AbortSignal,
): Promise<Finish> {
  const { live } = task;
  const { bus, events } = parts;
  const { run, lack } = session;
  const within = session.trace?.traceparent;
  const aggregate = session.nextAggregate(lack === undefined);
  const found = summarise(session, aggregate, parts);
  const { source, note } = await segmentedSeries(session, parts);
  const summary = await session.output.finish({ ...found, notes: [...found.notes, ...note] }, source);
  await publishAggregate(session, aggregate, bus, giveUp);
  const told = summary.notes.length > 0 ? { notes: summary.notes } : {};
  if (lack) {
    const ending = traced(events.slide('incomplete', { ...finished(session), ...told, reason: lack }), within);
    await bus.publish(ending, giveUp);
    const said = saidBesides(session, bus, { ending: kept(ending) });
    await run.update({ ...run.state, ...said, ...(live && { tilesSeen: live.tiles.seen }), state: 'incomplete' });
    const { expected, segmented, empty } = aggregate.patches;
    return { state: 'incomplete', reason: lack, done: segmented + empty, expected, summary };
  }
  const seamScore = summary.seams?.score ?? undefined;
  const seams = seamScore === undefined ? {} : { seamScore };
  const ending = traced(events.slide('completed', { ...finished(session), ...told, ...seams }), within);
  await bus.publish(ending, giveUp);
  const growth = growingOf(task);
  const said = saidBesides(session, bus, { ending: kept(ending) });
  await run.update({ ...run.state, ...said, ...(growth && contentOf(growth, session.plan.level)), state: 'completed' });
  return { state: 'completed', summary };
}

/** What DICOM segmentations of a slide are of; a slide that cannot have any has a note why. */
async function segmentedSeries(
  { slide, plan, source: pixels }: SlideSession,
  { config }: Parts,
): Promise<{ source?: SegmentedSeries; note: readonly SlideNote[] }> {
  const kind = pixels?.kind;
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
export async function suspend(session: SlideSession, task: SlideTask, { bus, events }: Parts): Promise<SlideResult> {
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
    const within = session.trace?.traceparent;
    const ending = traced(events.slide('incomplete', { ...finished(session), reason }), within);
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

/** Why a slide has not all its outcomes; 'interrupted' where nothing of it says. */
export function reasonOf({ live, whole }: SlideTask, { aggregate }: SlideSession): LiveReason | 'interrupted' {
  // What was read of a whole slide before it was moved away is as true as if it were still there.
  if (whole?.state === 'gone') return aggregate.counts(false).failed > 0 ? 'gone' : 'interrupted';
  const state = live?.state ?? whole?.state;
  return state === 'stalled' || state === 'replaced' ? state : live?.state === 'gone' ? 'gone' : 'interrupted';
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
