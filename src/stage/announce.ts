import { finalize, mergeMap, type OperatorFunction } from 'rxjs';
import { toStromaflowError } from '../errors.js';
import { type BusEvent, type EventBus, traced } from '../event/bus.js';
import type { Aggregate } from '../event/payloads.js';
import type { Said, SaidEvent } from '../store/ledger.js';
import type { SettledPatch } from './item.js';
import type { SlideSession } from './session.js';

/**
 * Publishes the running aggregate of each slide, at most once an interval: provisional, under rising revisions. What came
 * within an interval is said at its end, so that no count is older than that while a scanner pauses. The last word on a
 * slide is not said here but when it is finished.
 */
export function announce(
  bus: EventBus,
  intervalSeconds: number,
  giveUp: AbortSignal,
): OperatorFunction<SettledPatch, SettledPatch> {
  const announcedAt = new WeakMap<SlideSession, number>();
  const later = new Map<SlideSession, NodeJS.Timeout>();
  const ended = new WeakSet<SlideSession>();
  const hush = (session: SlideSession): void => {
    clearTimeout(later.get(session));
    later.delete(session);
  };
  const announceNow = async (session: SlideSession): Promise<void> => {
    hush(session);
    if (session.failure || session.aggregate.complete || ended.has(session)) return;
    announcedAt.set(session, performance.now());
    try {
      await publishProgress(session, bus, giveUp);
    } catch (error) {
      session.failure ??= toStromaflowError(error, 'BUS_PUBLISH', session.slide.id);
    }
  };
  const firstOf = (session: SlideSession): number => {
    announcedAt.set(session, session.startedAt);
    // Nothing provisional follows a slide's end, which its last patch may reach before it comes here.
    void session.drained.then(() => {
      ended.add(session);
      hush(session);
    });
    return session.startedAt;
  };
  return patches =>
    patches.pipe(
      mergeMap(async patch => {
        const { session } = patch;
        const last = announcedAt.get(session) ?? firstOf(session);
        const due = last + intervalSeconds * 1000 - performance.now();
        if (due <= 0) await announceNow(session);
        else if (!later.has(session))
          later.set(
            session,
            setTimeout(() => void announceNow(session), due),
          );
        return patch;
      }),
      finalize(() => [...later.keys()].forEach(hush)),
    );
}

/** Publishes a provisional aggregate under the next revision, and the slide's progress with it. */
export async function publishProgress(session: SlideSession, bus: EventBus, giveUp: AbortSignal): Promise<void> {
  const aggregate = session.nextAggregate(false);
  await publishAggregate(session, aggregate, bus, giveUp);
  const { patches, revision } = aggregate;
  const { settled } = session.aggregate;
  const patchesPerSecond = session.rate.perSecond;
  const etaSeconds = patchesPerSecond > 0 ? (patches.expected - settled) / patchesPerSecond : null;
  const fraction = settled / patches.expected;
  const { slide, runToken: run, events } = session;
  const progress = { slide: slide.id, run, revision, patches, fraction, patchesPerSecond, etaSeconds };
  await bus.publish(traced(events.slide('progress', progress), session.trace?.traceparent), giveUp);
}

/** Its revision is on record before anybody sees it, so that a restart never uses it again. */
export async function publishAggregate(
  session: SlideSession,
  aggregate: Aggregate,
  bus: EventBus,
  giveUp: AbortSignal,
): Promise<void> {
  const { run, runToken, events, trace } = session;
  const event = traced(events.aggregate(aggregate, runToken), trace?.traceparent);
  const said = saidBesides(session, bus, { aggregate: kept(event) });
  await run.update({ ...run.state, revision: aggregate.revision, ...said });
  await bus.publish(event, giveUp);
}

/** What the ledger keeps of what was said, with this besides. */
export function saidBesides(
  { run }: SlideSession,
  { kept: streams }: EventBus,
  more: Pick<Said, 'aggregate' | 'ending'>,
): { said?: Said } {
  const { said } = run.state;
  const marks = streams?.marks() ?? [];
  return said ? { said: { ...said, ...more, ...(marks.length > 0 ? { marks } : {}) } } : {};
}

/** Its data is JSON. */
export function kept({ data, ...event }: BusEvent): SaidEvent {
  return { ...event, json: new TextDecoder().decode(data) };
}
