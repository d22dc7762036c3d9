import type { BusEvent, EventBus } from '../event/bus.js';
import { decodeEvent, type StromaEvent } from '../event/decode.js';

/** Hears of every event on its way out, and what became of it. Implementations must be quick and must not throw. */
export interface BusObserver {
  publishing(event: BusEvent): void;
  published(publication: Publication): void;
}

export interface Publication {
  readonly event: BusEvent;
  /** The event's content; undefined when it is none of the contract's. */
  readonly content: StromaEvent | undefined;
  readonly seconds: number;
  /** Undefined once the bus has the event. */
  readonly error: unknown;
}

/** The same bus, with what is published reported to the observers. */
export function observeBus(bus: EventBus, observers: readonly BusObserver[]): EventBus {
  const settled = (event: BusEvent, startedAt: number, error?: unknown): void => {
    const seconds = (performance.now() - startedAt) / 1000;
    const publication = { event, content: contentOf(event), seconds, error };
    for (const observer of observers) observer.published(publication);
  };
  return {
    get description() {
      return bus.description;
    },
    get connected() {
      return bus.connected;
    },
    get kept() {
      return bus.kept;
    },
    async publish(event, signal) {
      const startedAt = performance.now();
      for (const observer of observers) observer.publishing(event);
      try {
        await bus.publish(event, signal);
      } catch (error) {
        settled(event, startedAt, error ?? new Error('publish failed'));
        throw error;
      }
      settled(event, startedAt);
    },
    subscribe: (pattern, signal) => bus.subscribe(pattern, signal),
    close: () => bus.close(),
  };
}

function contentOf(event: BusEvent): StromaEvent | undefined {
  try {
    return decodeEvent(event);
  } catch {
    return undefined;
  }
}
