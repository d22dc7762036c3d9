import {
  type Attributes as OtelAttributes,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { StromaflowError } from '../errors.js';
import type { Sampling, TraceSettings } from './settings.js';
import {
  type Attributes,
  readTraceparent,
  type Span,
  type SpanStart,
  type Tracer,
  writeTraceparent,
} from './tracer.js';
import { post } from './transport.js';

/** Spans that wait to be sent: of more, the newest are lost. About 10 MB. */
const QUEUE = 8192;
/** Sent at a time. */
const BATCH = 512;
const DELAY_MS = 1000;
/** At the end. */
const FLUSH_MS = 2000;

/**
 * Spans over OTLP/HTTP, by the SDK of the OpenTelemetry project. Whatever the collector does, a span costs what it takes to make it: sending is
 * beside the graph, what waits is bounded, and `tell` hears once that it is away.
 */
export function otlpTracer(
  settings: TraceSettings,
  about: Attributes,
  tell: (problem: StromaflowError) => void,
): Tracer {
  const exporter = new Exporter(settings, tell);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': settings.serviceName, ...about, ...settings.resource }),
    sampler: samplerOf(settings.sampler),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: QUEUE,
        maxExportBatchSize: BATCH,
        scheduledDelayMillis: DELAY_MS,
        // The exporter ends by itself before.
        exportTimeoutMillis: settings.timeoutMs * 2,
      }),
    ],
  });
  const tracer = provider.getTracer('stromaflow');
  return {
    start: (name, start) => begin(tracer, exporter, name, start),
    async close() {
      // One that is away is not waited for.
      if (exporter.isAway) exporter.abort();
      const late = setTimeout(() => exporter.abort(), FLUSH_MS);
      await provider.shutdown().catch(() => undefined);
      clearTimeout(late);
      exporter.tellLost();
    },
  };
}

function samplerOf({ ratio, byParent }: Sampling): Sampler {
  const root =
    ratio === 1 ? new AlwaysOnSampler() : ratio === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
  return byParent ? new ParentBasedSampler({ root }) : root;
}

function begin(
  tracer: OtelTracer,
  exporter: Exporter,
  name: string,
  { parent, links = [], at, attributes = {}, sends = false }: SpanStart = {},
): Span {
  const context = parent === undefined ? undefined : readTraceparent(parent);
  const span = tracer.startSpan(
    name,
    {
      startTime: epoch(at),
      attributes: attributes as OtelAttributes,
      kind: sends ? SpanKind.PRODUCER : SpanKind.INTERNAL,
      links: links.flatMap(link => {
        const linked = readTraceparent(link);
        return linked ? [{ context: linked }] : [];
      }),
    },
    context ? trace.setSpanContext(ROOT_CONTEXT, { ...context, isRemote: true }) : ROOT_CONTEXT,
  );
  const sampled = span.isRecording();
  return {
    traceparent: writeTraceparent(span.spanContext()),
    sampled,
    event: (what, more = {}) => void span.addEvent(what, more as OtelAttributes, epoch()),
    end: result => {
      if (sampled) exporter.expected += 1;
      finish(span, result);
    },
  };
}

function finish(span: OtelSpan, { at, attributes, error }: NonNullable<Parameters<Span['end']>[0]> = {}): void {
  if (attributes) span.setAttributes(attributes as OtelAttributes);
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
  span.end(epoch(at));
}

/** One clock for all: the SDK would take another where it is told no time. */
const epoch = (at = performance.now()): number => performance.timeOrigin + at;

class Exporter implements SpanExporter {
  /** Spans that were ended. */
  expected = 0;
  readonly #settings: TraceSettings;
  readonly #tell: (problem: StromaflowError) => void;
  readonly #stop = new AbortController();
  #sent = 0;
  #hasTold = false;
  #isAway = false;

  constructor(settings: TraceSettings, tell: (problem: StromaflowError) => void) {
    this.#settings = settings;
    this.#tell = tell;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    const { encoding } = this.#settings;
    const serializer = encoding === 'json' ? JsonTraceSerializer : ProtobufTraceSerializer;
    const body = serializer.serializeRequest(spans);
    const sent = body ? post(new Uint8Array(body), this.#settings, this.#stop.signal, this.#away) : Promise.resolve();
    sent
      .then(() => {
        this.#sent += spans.length;
        this.#isAway = false;
      })
      .catch((cause: Error) => this.#failed(cause))
      // What is lost is told here, and to nobody else.
      .finally(() => done({ code: 0 }));
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Gives up what is under way, and what comes. */
  abort(): void {
    this.#stop.abort();
  }

  async shutdown(): Promise<void> {}

  tellLost(): void {
    const lost = this.expected - this.#sent;
    if (lost > 0) this.#tell(this.#problem(`${lost} of ${this.expected} spans were not sent`));
  }

  readonly #away = (cause: Error): void => {
    this.#isAway = true;
    this.#failed(cause);
  };

  #failed(cause: Error): void {
    if (this.#hasTold || this.#stop.signal.aborted) return;
    this.#hasTold = true;
    this.#tell(this.#problem(cause.message, cause));
  }

  #problem(what: string, cause?: unknown): StromaflowError {
    return new StromaflowError('TRACES_UNSENT', `traces to ${this.#settings.url}: ${what}`, { cause });
  }
}
