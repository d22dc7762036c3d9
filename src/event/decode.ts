import { StromaflowError } from '../errors.js';
import { decodeMaskPng } from '../mask/png.js';
import type { BusEvent } from './bus.js';
import { EVENT_TYPES } from './event-types.js';
import type { Aggregate, DeadLetter, MaskHeaders, SlidePayloads } from './payloads.js';
import { eventSchemas } from './schemas/index.js';
import type { JsonSchema } from './schemas/schema.js';
import { firstProblem } from './schemas/validate.js';
import { DLQ_STAGES, SLIDE_STATES, type SlideState } from './subjects.js';

/** What every decoded event has. */
interface Envelope {
  /** Equal for the same effect: keep the last event of an id, or drop repeats. */
  readonly id: string;
  readonly subject: string;
  readonly source: string;
  /** RFC 3339. */
  readonly time: string;
  /** W3C Trace Context, where the publisher traces: spans of whoever handles the event go below it. */
  readonly traceparent?: string;
}

/** A mask: headers as numbers, and its pixels. */
export interface MaskEvent extends Envelope, MaskHeaders {
  readonly kind: 'mask';
  /** The payload as it came: a 1-bit PNG of side × side pixels. */
  readonly png: Uint8Array;
  /** side rows of ⌈side / 8⌉ bytes, most significant bit left, 1 = stroma. Decoded when first asked for. */
  readonly bits: Uint8Array;
}

export interface AggregateEvent extends Envelope {
  readonly kind: 'aggregate';
  readonly run: string;
  readonly aggregate: Aggregate;
}

/** `state` says which payload it is. */
export type SlideEvent = {
  [S in SlideState]: Envelope & { readonly kind: 'slide'; readonly state: S; readonly payload: SlidePayloads[S] };
}[SlideState];

export interface DeadLetterEvent extends Envelope {
  readonly kind: 'dlq';
  readonly letter: DeadLetter;
}

export type StromaEvent = MaskEvent | AggregateEvent | SlideEvent | DeadLetterEvent;

/**
 * Turns what came from a bus into a typed event, checked against the contract's schemas. Undefined for events of other
 * types; throws EVENT_INVALID for one of ours that breaks the contract, MASK_INVALID when `bits` of a broken PNG are read.
 */
export function decodeEvent(event: BusEvent): StromaEvent | undefined {
  const { id, subject, source, time, type } = event;
  const { traceparent } = event.extensions;
  const envelope: Envelope = { id, subject, source, time, ...(traceparent === undefined ? {} : { traceparent }) };
  if (type === EVENT_TYPES.mask) return decodeMask(envelope, event);
  if (type === EVENT_TYPES.aggregate) {
    const aggregate = payload<Aggregate>(eventSchemas.aggregate, event);
    return { ...envelope, kind: 'aggregate', run: event.extensions['run'] ?? '', aggregate };
  }
  if (DLQ_STAGES.some(stage => type === EVENT_TYPES.dlq(stage))) {
    return { ...envelope, kind: 'dlq', letter: payload<DeadLetter>(eventSchemas.deadLetter, event) };
  }
  const state = SLIDE_STATES.find(known => type === EVENT_TYPES.slide(known));
  if (!state) return undefined;
  return { ...envelope, kind: 'slide', state, payload: payload(eventSchemas.slide[state], event) } as SlideEvent;
}

function decodeMask(envelope: Envelope, event: BusEvent): MaskEvent {
  const headers: Record<string, unknown> = { ...event.extensions };
  for (const [name, schema] of Object.entries(eventSchemas.maskHeaders.properties ?? {})) {
    const value = event.extensions[name];
    if (schema.type !== 'string' && value !== undefined) headers[name] = value === '' ? Number.NaN : Number(value);
  }
  check(eventSchemas.maskHeaders, headers, event);
  let bits: Uint8Array | undefined;
  return {
    ...envelope,
    ...(headers as unknown as MaskHeaders),
    kind: 'mask',
    png: event.data,
    get bits() {
      bits ??= decodeMaskPng(event.data).bits;
      return bits;
    },
  };
}

function payload<T>(schema: JsonSchema, event: BusEvent): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(event.data));
  } catch (cause) {
    throw new StromaflowError('EVENT_INVALID', `${event.subject}: the data is not JSON`, { cause });
  }
  check(schema, value, event);
  return value as T;
}

function check(schema: JsonSchema, value: unknown, event: BusEvent): void {
  const problem = firstProblem(schema, value);
  if (problem) throw new StromaflowError('EVENT_INVALID', `${event.subject}: ${problem}`);
}
