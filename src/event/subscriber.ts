import { StromaflowError, toStromaflowError } from '../errors.js';
import type { BusEvent, EventBus } from './bus.js';
import type { NatsBus } from './connection-bus.js';
import {
  type AggregateEvent,
  type DeadLetterEvent,
  decodeEvent,
  type MaskEvent,
  type SlideEvent,
  type StromaEvent,
} from './decode.js';
import { EventStream } from './event-stream.js';
import { assembleSlideMask, type SlideMask } from './slide-mask.js';
import type { From, Notice } from './stream/read-options.js';
import { DEFAULT_PREFIX, type SubjectFilter, subjectPattern } from './subjects.js';

/** Level-0 pixels. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface SubscribeOptions extends SubjectFilter {
  /**
   * 'all', 'new' or a time: out of the streams that keep events (`stromaflow events setup`), without a gap. Left out: as events are published, kept or
   * not. EVENTS_STREAM where none are kept.
   */
  readonly from?: From;
  /** Of masks: those that touch it. */
  readonly region?: Region;
  /** Ends the iteration. Leaving the loop does too. */
  readonly signal?: AbortSignal;
  /** Told of an event that breaks the contract, which is then skipped; by default the iteration throws EVENT_INVALID. */
  readonly onInvalid?: (error: StromaflowError) => void;
  /** With `from`: told of outages and of gaps; without it a gap ends the iteration with EVENTS_GAP. */
  readonly onNotice?: (notice: Notice) => void;
}

export interface HandleOptions extends SubjectFilter {
  /** Names the place in the stream that is kept from one start to the next. */
  readonly durable: string;
  /** Where a place that is new begins. @default 'all' */
  readonly from?: From;
  /** Of masks: those that touch it. */
  readonly region?: Region;
  readonly signal?: AbortSignal;
  /** Events handled at the same time. @default 1 */
  readonly atOnce?: number;
  /** Times that an event is tried before it is given up. @default 5 */
  readonly tries?: number;
  /** Told of an event that was given up; without it that ends the work with the error. */
  readonly onGivenUp?: (error: unknown, event: StromaEvent | undefined) => void;
}

/**
 * Typed events. A stream receives from the moment it is asked for, not from its first step. Without `from` a subscriber sees what
 * is published while it is connected, and may see a repeat (same `id`) when the publisher's connection broke.
 */
export interface StromaClient {
  masks(options?: SubscribeOptions): EventStream<MaskEvent>;
  aggregates(options?: SubscribeOptions): EventStream<AggregateEvent>;
  slides(options?: SubscribeOptions): EventStream<SlideEvent>;
  deadLetters(options?: SubscribeOptions): EventStream<DeadLetterEvent>;
  /**
   * Calls `handle` for every mask, once: what was done is told to the server, and the server's word for it awaited, so that no other start and no
   * other process with the same `durable` does it again. Only a process that dies between its effect and that word does: make effects replace
   * themselves by `mask.id`. Resolves with the signal.
   */
  handleMasks(options: HandleOptions, handle: (mask: MaskEvent) => Promise<void>): Promise<void>;
  /** The same for what becomes of slides. */
  handleSlides(options: HandleOptions, handle: (slide: SlideEvent) => Promise<void>): Promise<void>;
  /** The newest aggregate of a slide; undefined where there is none. */
  lastAggregate(slide: string, options?: SubjectFilter): Promise<AggregateEvent | undefined>;
  /**
   * A whole slide's mask out of the stream alone. Rejects with EVENTS_STREAM where nothing is kept of the slide, and with EVENTS_GAP where one that is done
   * lacks masks, unless `partial`. CONFIG_INVALID where several scanners have a slide of this name: give site and scanner.
   */
  slideMask(slide: string, options?: SubjectFilter & { readonly partial?: boolean }): Promise<SlideMask>;
  /** Resolves once the server knows every subscription made so far. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** A client over any bus, the in-process one too. Closing the client closes the bus. */
export function createClient(bus: EventBus, ready: () => Promise<void> = async () => {}): StromaClient {
  const starting: Promise<void>[] = [];
  const open = <K extends StromaEvent['kind']>(kind: K, options: SubscribeOptions = {}) =>
    events(bus, kind, options, started => starting.push(started));
  return {
    masks: options => open('mask', options),
    aggregates: options => open('aggregate', options),
    slides: options => open('slide', options),
    deadLetters: options => open('dlq', options),
    handleMasks: (options, handle) => handleEvents(bus, 'mask', options, handle),
    handleSlides: (options, handle) => handleEvents(bus, 'slide', options, handle),
    lastAggregate: (slide, options = {}) => newest(bus, 'aggregate', slide, options),
    async slideMask(slide, { partial = false, ...filter } = {}) {
      const opened = await newestOpened(bus, slide, filter);
      const aggregate = await newest(bus, 'aggregate', slide, filter);
      return assembleSlideMask({ opened, aggregate, masks: storedMasks(bus, slide, filter) }, partial);
    },
    async ready() {
      await ready();
      await Promise.all(starting.splice(0));
    },
    close: () => bus.close(),
  };
}

type OfKind<K extends StromaEvent['kind']> = Extract<StromaEvent, { readonly kind: K }>;

function events<K extends StromaEvent['kind']>(
  bus: EventBus,
  kind: K,
  options: SubscribeOptions,
  onStarting: (started: Promise<void>) => void,
): EventStream<OfKind<K>> {
  const left = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  const { from, onNotice, onInvalid, region } = options;
  const pattern = subjectPattern(kind, options);
  // Subscribed here and not in the generator: it would wait for the first step, and miss what comes before.
  let source: AsyncIterable<BusEvent>;
  if (from === undefined) source = bus.subscribe(pattern, signal);
  else {
    const { events: kept, ready } = natsOf(bus).reader(prefixOf(options)).follow(pattern, { from, signal, onNotice });
    onStarting(ready);
    source = kept;
  }
  async function* decode(): AsyncGenerator<OfKind<K>, void, void> {
    try {
      for await (const event of source) {
        const decoded = tolerant(() => decodeEvent(event), onInvalid);
        if (isOfKind(decoded, kind) && touches(decoded, region)) yield decoded;
      }
    } finally {
      left.abort();
    }
  }
  return new EventStream(decode, () => left.abort());
}

async function handleEvents<K extends 'mask' | 'slide'>(
  bus: EventBus,
  kind: K,
  { durable, from = 'all', signal = new AbortController().signal, atOnce = 1, tries = 5, ...options }: HandleOptions,
  handle: (event: OfKind<K>) => Promise<void>,
): Promise<void> {
  const { onGivenUp, region } = options;
  const told = onGivenUp && {
    onGivenUp: (error: unknown, event: BusEvent) =>
      onGivenUp(
        error,
        tolerant(
          () => decodeEvent(event),
          () => undefined,
        ),
      ),
  };
  // What is kept in another stream than the history of slides is only how far they are.
  const work = { durable, from, signal, atOnce, tries, ...told };
  await natsOf(bus).process(prefixOf(options), subjectPattern(kind, options), work, async event => {
    const decoded = decodeEvent(event);
    if (isOfKind(decoded, kind) && touches(decoded, region)) await handle(decoded);
  });
}

async function newest<K extends StromaEvent['kind']>(
  bus: EventBus,
  kind: K,
  slide: string,
  filter: SubjectFilter,
): Promise<OfKind<K> | undefined> {
  const found: OfKind<K>[] = [];
  const stored = natsOf(bus)
    .reader(prefixOf(filter))
    .stored(subjectPattern(kind, { ...filter, slide }), true);
  for await (const event of stored) {
    const decoded = decodeEvent(event);
    if (isOfKind(decoded, kind)) found.push(decoded);
  }
  return only(found, slide);
}

async function newestOpened(bus: EventBus, slide: string, filter: SubjectFilter) {
  const found: Extract<SlideEvent, { readonly state: 'opened' }>[] = [];
  const pattern = subjectPattern('slide', { ...filter, slide }).replace('.slide.*.', '.slide.opened.');
  for await (const event of natsOf(bus).reader(prefixOf(filter)).stored(pattern, true)) {
    const decoded = decodeEvent(event);
    if (decoded?.kind === 'slide' && decoded.state === 'opened') found.push(decoded);
  }
  const opened = only(found, slide);
  if (opened) return opened;
  throw new StromaflowError('EVENTS_STREAM', `${slide}: no event of it is kept`, {
    fix: 'check its id with client.slides({ from: "all" })',
  });
}

function only<T extends { readonly source: string }>(found: readonly T[], slide: string): T | undefined {
  if (found.length <= 1) return found[0];
  const sources = found.map(({ source }) => source).join(', ');
  throw new StromaflowError('CONFIG_INVALID', `${slide}: several scanners have a slide of this name: ${sources}`, {
    fix: 'give site and scanner',
  });
}

async function* storedMasks(bus: EventBus, slide: string, filter: SubjectFilter): AsyncGenerator<MaskEvent> {
  for await (const event of natsOf(bus)
    .reader(prefixOf(filter))
    .stored(subjectPattern('mask', { ...filter, slide }))) {
    const decoded = decodeEvent(event);
    if (decoded?.kind === 'mask') yield decoded;
  }
}

const prefixOf = ({ prefix = DEFAULT_PREFIX }: SubjectFilter): string => prefix;

function natsOf(bus: EventBus): NatsBus {
  if ('reader' in bus) return bus as NatsBus;
  throw new StromaflowError('EVENTS_STREAM', 'a bus in one process keeps no events', { fix: "leave out 'from'" });
}

function touches(event: StromaEvent, region: Region | undefined): boolean {
  if (!region || event.kind !== 'mask') return true;
  const { x, y, width, height } = event;
  return x < region.x + region.width && region.x < x + width && y < region.y + region.height && region.y < y + height;
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
