import type { StromaflowError } from '../../errors.js';
import type { BusEvent } from '../bus-event.js';
import type { StreamKind, WorkKind } from './layout.js';

/** The place in a stream up to which this process knows its events to be stored. */
export interface StreamMark {
  readonly stream: string;
  /** When the stream was made: another one under the same name has none of our events. */
  readonly created: string;
  readonly seq: number;
  /** Of the event that stands there. */
  readonly id: string;
}

/** How full a stream is. */
export interface StreamFill {
  readonly kind: StreamKind | WorkKind;
  readonly messages: number;
  readonly bytes: number;
  /** Most that it may hold; undefined: what the server allows. */
  readonly limitBytes: number | undefined;
}

/** An event that somebody must see to. */
export interface TakenEvent {
  readonly event: BusEvent;
  /** Seen to, and the server knows. */
  done(): Promise<void>;
}

/** Port of a bus that keeps what is published: what became of it. */
export interface KeptEvents {
  /** The newest of each stream. A stream is a log: while this event is there, so are those before it. */
  marks(): readonly StreamMark[];
  /** 'dropped': the stream's limits, or its operator, let go of it; 'lost': the server lost it. */
  standing(mark: StreamMark): Promise<'there' | 'dropped' | 'lost'>;
  /** Ids of the stored events whose subjects match. */
  ids(pattern: string): Promise<Set<string>>;
  /** Id of the newest event with this very subject. */
  lastId(subject: string): Promise<string | undefined>;
  /** When a stream of the work was made; another time: the server lost what was in it. */
  createdOf(kind: WorkKind): string | undefined;
  /** How full its streams are. Rejects while the server is away. */
  fill(): Promise<readonly StreamFill[]>;
  /**
   * Events under a pattern, each until it is said to be done, from one start to the next; `undefined` once when all that waited at the beginning was
   * given. Goes on through outages until the signal aborts.
   *
   * @param durable names the place in the stream.
   */
  take(pattern: string, durable: string, signal: AbortSignal): AsyncGenerator<TakenEvent | undefined, void, void>;
  /** Milliseconds after which events are dropped; Infinity: never. */
  readonly keepsMs: number;
  /** Called whenever the streams are there again after the server was away or had lost them; returns what ends it. */
  onRestored(listener: (error?: StromaflowError) => void): () => void;
}
