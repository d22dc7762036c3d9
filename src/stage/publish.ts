import { mergeMap, type OperatorFunction } from 'rxjs';
import { toStromaflowError } from '../errors.js';
import { type BusEvent, type EventBus, traced } from '../event/bus.js';
import { deathKind } from '../event/dead-letter-kind.js';
import { encodeMaskPng } from '../mask/png.js';
import type { SettledPatch } from './item.js';
import type { PipelineObserver } from './observer.js';
import type { PatchTraces } from './patch-traces.js';

/**
 * Publishes each mask, and a dead letter for each patch that failed, and goes on once the bus has it. A slide whose
 * events cannot be published, or not before `giveUp`, fails as a whole and is taken up again on the next start.
 * `traces`: what the events are part of.
 */
export function publish(
  bus: EventBus,
  observer: PipelineObserver,
  giveUp: AbortSignal,
  traces?: PatchTraces,
): OperatorFunction<SettledPatch, SettledPatch> {
  return mergeMap(async patch => {
    const { session } = patch;
    const event = session.failure ? undefined : eventOf(patch);
    if (!event) return patch;
    const startedAt = performance.now();
    observer.entered('publish');
    try {
      await bus.publish(traced(event, traces?.traceparentOf(patch)), giveUp);
      observer.left('publish', 'ok', (performance.now() - startedAt) / 1000);
    } catch (error) {
      session.failure ??= toStromaflowError(error, 'BUS_PUBLISH', session.slide.id);
      observer.left('publish', 'failed', (performance.now() - startedAt) / 1000);
    }
    return patch;
  });
}

function eventOf({ session, ref, record, mask, failure }: SettledPatch): BusEvent | undefined {
  const { events, plan, engine, runToken: run } = session;
  if (mask) {
    const { side, bits, png = encodeMaskPng({ width: side, height: side, bits }) } = mask;
    return events.mask({ ref, record, png, plan, engine, run });
  }
  if (failure) {
    const { stage, attempts, error } = failure;
    const { code, message, fix } = error;
    const { slide, ...patch } = ref;
    const kind = deathKind(code);
    return events.dlq({ slide, run, stage, patch, attempts, kind, error: { code, message, fix } }, session.openedAt);
  }
  return undefined;
}
