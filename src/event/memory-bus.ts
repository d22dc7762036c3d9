import { StromaflowError } from '../errors.js';
import type { BusEvent, EventBus } from './bus.js';
import { EventQueue, readUntilLeft } from './event-queue.js';
import { matchesSubject } from './subjects.js';

/** The bus inside one process: what the product uses without a NATS server, with the same contract above it. */
export function createMemoryBus(): EventBus {
  const subscribers = new Map<EventQueue, string>();
  let open = true;

  return {
    description: 'in process',
    get connected() {
      return open;
    },
    async publish(event: BusEvent, signal?: AbortSignal) {
      signal?.throwIfAborted();
      if (!open) throw new StromaflowError('BUS_PUBLISH', `${event.subject}: the bus is closed`);
      for (const [queue, pattern] of subscribers) {
        if (matchesSubject(pattern, event.subject)) queue.push(event);
      }
    },
    subscribe(pattern: string, signal: AbortSignal) {
      const queue = new EventQueue();
      if (open && !signal.aborted) {
        subscribers.set(queue, pattern);
        signal.addEventListener('abort', () => drop(queue), { once: true });
      } else queue.end();
      return readUntilLeft(queue, () => drop(queue));
    },
    async close() {
      open = false;
      for (const queue of subscribers.keys()) queue.end();
      subscribers.clear();
    },
  };

  function drop(queue: EventQueue): void {
    subscribers.delete(queue);
    queue.cancel();
  }
}
