/** Port of what keeps spans: how long what took, told to a collector of traces. Times are milliseconds of performance.now(). */

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanStart {
  /** W3C traceparent of the span it is part of; absent: it is the root of a trace. */
  readonly parent?: string | undefined;
  /** Traceparents of others that it belongs to as well. */
  readonly links?: readonly string[];
  /** When it began. @default now */
  readonly at?: number;
  readonly attributes?: Attributes;
  /** It hands messages to others. */
  readonly sends?: boolean;
}

export interface Span {
  /** W3C Trace Context, version 00: `00-<trace, 32 hex digits>-<span, 16>-<flags, 2>`. */
  readonly traceparent: string;
  /** It is kept; of one that is not, neither are its parts. */
  readonly sampled: boolean;
  /** Something that happened at one moment. */
  event(name: string, attributes?: Attributes): void;
  /** `at` absent: now. `error`: what it failed with, a code and nothing of the host. */
  end(result?: { readonly at?: number; readonly attributes?: Attributes; readonly error?: string }): void;
}

export interface Tracer {
  start(name: string, start?: SpanStart): Span;
  /** Sends what is left, for two seconds at most: nothing that is slow or away holds up an end. */
  close(): Promise<void>;
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

/** Undefined where it is none of version 00. */
export function readTraceparent(text: string): TraceContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}

export const writeTraceparent = ({ traceId, spanId, traceFlags }: TraceContext): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
