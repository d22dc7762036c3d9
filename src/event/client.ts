import { type StromaflowError, toStromaflowError } from '../errors.js';
import type { EventBus } from './bus.js';
import {
  type AggregateEvent,
  type DeadLetterEvent,
  decodeEvent,
  type MaskEvent,
  type SlideEvent,
  type StromaEvent,
} from './decode.js';
import { connectNatsBus } from './nats-bus.js';
import type { NatsOptions } from './nats-options.js';
import { type SubjectFilter, subjectPattern } from './subjects.js';

export interface SubscribeOptions extends SubjectFilter {
  /** Ends the iteration. Leaving the loop does too. */
  readonly signal?: AbortSignal;
  /** Told of an event that breaks the contract, which is then skipped; by default the iteration throws EVENT_INVALID. */
  readonly onInvalid?: (error: StromaflowError) => void;
}

/**
 * Typed events as async iterables. An iterable receives from the moment it is asked for, not from its first step. Without
 * JetStream nothing is stored: a subscriber sees what is published while it is connected, and may see a repeat (same
 * `id`) when the publisher's connection broke.
 */
export interface StromaClient {
  masks(options?: SubscribeOptions): AsyncIterable<MaskEvent>;
  aggregates(options?: SubscribeOptions): AsyncIterable<AggregateEvent>;
  slides(options?: SubscribeOptions): AsyncIterable<SlideEvent>;
  deadLetters(options?: SubscribeOptions): AsyncIterable<DeadLetterEvent>;
  /** Resolves once the server knows every subscription made so far. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Connects to a NATS server. Rejects with BUS_UNREACHABLE, or CONFIG_INVALID where `url` is missing or no address. */
export async function connect(options: NatsOptions): Promise<StromaClient> {
  const bus = await connectNatsBus({ name: 'stromaflow client', ...options });
  return createClient(bus, () => bus.flush());
}

/** The same over any bus, the in-process one too. Closing the client closes the bus. */
export function createClient(bus: EventBus, ready: () => Promise<void> = async () => {}): StromaClient {
  return {
    masks: options => events(bus, 'mask', options),
    aggregates: options => events(bus, 'aggregate', options),
    slides: options => events(bus, 'slide', options),
    deadLetters: options => events(bus, 'dlq', options),
    ready,
    close: () => bus.close(),
  };
}

type OfKind<K extends StromaEvent['kind']> = Extract<StromaEvent, { readonly kind: K }>;

function events<K extends StromaEvent['kind']>(
  bus: EventBus,
  kind: K,
  options: SubscribeOptions = {},
): AsyncIterable<OfKind<K>> {
  const left = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  // Subscribed here and not in the generator: it would wait for the first step, and miss what comes before.
  const source = bus.subscribe(subjectPattern(kind, options), signal);
  return (async function* () {
    try {
      for await (const event of source) {
        const decoded = tolerant(() => decodeEvent(event), options.onInvalid);
        if (isOfKind(decoded, kind)) yield decoded;
      }
    } finally {
      left.abort();
    }
  })();
}

function isOfKind<K extends StromaEvent['kind']>(event: StromaEvent | undefined, kind: K): event is OfKind<K> {
  return event?.kind === kind;
}

function tolerant<T>(decode: () => T, onInvalid?: (error: StromaflowError) => void): T | undefined {
  if (!onInvalid) return decode();
  try {
    return decode();
  } catch (error) {
    onInvalid(toStromaflowError(error, 'EVENT_INVALID'));
    return undefined;
  }
}
