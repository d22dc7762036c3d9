import { mergeMap, type OperatorFunction } from 'rxjs';
import { toStromaflowError } from '../errors.js';
import type { EventBus } from '../event/bus.js';
import type { SettledPatch } from './item.js';
import type { SlideSession } from './session.js';

/**
 * Publishes the running aggregate of each slide, at most once an interval: provisional, under rising revisions. The last
 * word on a slide is not said here but when it is finished.
 */
export function announce(bus: EventBus, intervalSeconds: number): OperatorFunction<SettledPatch, SettledPatch> {
  const announcedAt = new WeakMap<SlideSession, number>();
  return mergeMap(async patch => {
    const { session } = patch;
    const now = performance.now();
    const last = announcedAt.get(session) ?? session.startedAt;
    if (session.failure || session.aggregate.complete || now - last < intervalSeconds * 1000) return patch;
    announcedAt.set(session, now);
    try {
      await publishAggregate(session, bus, false);
    } catch (error) {
      session.failure ??= toStromaflowError(error, 'BUS_PUBLISH', session.slide.id);
    }
    return patch;
  });
}

/** Takes the next revision, keeps it in the ledger and publishes it, with the slide's progress while it is under way. */
export async function publishAggregate(session: SlideSession, bus: EventBus, final: boolean): Promise<void> {
  const { run, runToken, events, slide } = session;
  const aggregate = session.nextAggregate(final);
  await run.update({ ...run.state, revision: aggregate.revision });
  await bus.publish(events.aggregate(aggregate, runToken));
  if (final) return;
  const { patches, revision } = aggregate;
  const { settled } = session.aggregate;
  const patchesPerSecond = (settled - session.resumedPatches) / session.seconds;
  const etaSeconds = patchesPerSecond > 0 ? (patches.expected - settled) / patchesPerSecond : null;
  const fraction = settled / patches.expected;
  const progress = { slide: slide.id, run: runToken, revision, patches, fraction, patchesPerSecond, etaSeconds };
  await bus.publish(events.slide('progress', progress));
}
