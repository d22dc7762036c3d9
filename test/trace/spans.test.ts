import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from '@nats-io/transport-node';
import { lastValueFrom, of, tap, toArray } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import { openWorkBus } from '#pipelines/work-bus.js';
import { work } from '#pipelines/worker.js';
import type { Config } from '#src/config/options.js';
import { StromaflowError } from '#src/errors.js';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { openSlide } from '#src/slide/open.js';
import { SlideTrace } from '#src/stage/slide-trace.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import type { Tracer } from '#src/trace/tracer.js';
import { startNatsServer } from '../support/nats-server.js';
import { partsWith, recording, withSegmenter } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { type Collector, type SeenSpan, startCollector } from './collector.js';

const before = { ...process.env };
beforeAll(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
  process.env['OTEL_EXPORTER_OTLP_PROTOCOL'] = 'http/json';
});
afterAll(() => {
  process.env = before;
});

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  delete process.env['OTEL_TRACES_SAMPLER'];
});

async function collect(...answer: Parameters<typeof startCollector>): Promise<Collector> {
  const collector = await startCollector(...answer);
  closing.push(() => collector.close());
  return collector;
}

/** Segments the slide once under each name, all at the same time; resolves when the parts, and so the tracer, are closed. */
async function segment(
  options: Partial<Config>,
  { ids = ['slide'], change = (parts: Parts) => parts, told = [] as string[] } = {},
): Promise<{ results: SlideResult[]; events: BusEvent[] }> {
  const opened = await partsWith(
    { readers: 1, batch: 4, ...options, out: await emptyFolder() },
    { onTraces: ({ line }) => void told.push(line) },
  );
  const { parts, events } = recording(change(opened));
  const tasks = ids.map(id => ({ path: SLIDE, id, open: () => openSlide(SLIDE, { id }) }));
  const results = await lastValueFrom(segmentSlides(of(...tasks), parts, new AbortController().signal).pipe(toArray()));
  await opened.close();
  return { results, events };
}

const named = (spans: readonly SeenSpan[], name: string): SeenSpan[] => spans.filter(span => span.name === name);
const partsOf = (spans: readonly SeenSpan[], { spanId }: SeenSpan): SeenSpan[] =>
  spans.filter(({ parentSpanId }) => parentSpanId === spanId);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const spanOf = ({ extensions }: BusEvent): string | undefined => extensions['traceparent']?.split('-')[2];

describe('spans of a slide', () => {
  it('are one for the slide, one for each batch below it and one for each stage below that', async () => {
    const collector = await collect();
    const { events } = await segment({ otlp: collector.url, site: 'lab', scanner: 'gt 450' });
    const { spans } = collector;
    const [slide, ...others] = named(spans, 'slide');
    expect(others).toEqual([]);
    expect(slide!.parentSpanId).toBeUndefined();
    const masks = events.filter(({ type }) => type === 'stromaflow.mask.v1');
    expect(slide!.attributes).toMatchObject({
      'stromaflow.slide': 'slide',
      'stromaflow.state': 'completed',
      'stromaflow.patches.segmented': masks.length,
      'stromaflow.patches.failed': 0,
    });
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);

    const below = partsOf(spans, slide!);
    const batches = named(below, 'batch');
    expect(below.map(({ name }) => name).filter(name => name !== 'batch')).toEqual(['open', 'finish']);
    expect(sum(batches.map(({ attributes }) => attributes['stromaflow.patches'] as number))).toBe(masks.length);
    for (const { attributes } of batches) expect(attributes['stromaflow.patches']).toBeLessThanOrEqual(4);
    for (const batch of batches) {
      const stages = partsOf(spans, batch);
      expect(stages.map(({ name }) => name).sort()).toEqual(
        ['acknowledge', 'fill', 'publish', 'read', 'segment', 'store', 'wait'].sort(),
      );
      for (const { from, to } of stages) {
        expect(to).toBeGreaterThanOrEqual(from);
        expect(from).toBeGreaterThanOrEqual(batch.from - 0.01);
        expect(to).toBeLessThanOrEqual(batch.to + 0.01);
      }
      const at = Object.fromEntries(stages.map(stage => [stage.name, stage]));
      expect(at['segment']!.from).toBeGreaterThanOrEqual(at['read']!.to - 0.01);
      expect(at['store']!.to).toBeGreaterThanOrEqual(at['segment']!.to - 0.01);
      expect(at['publish']!.kind).toBe(4);
      expect(batch.links).toEqual([]);
    }
    expect(collector.resources[0]).toMatchObject({
      'service.name': 'stromaflow',
      'stromaflow.site': 'lab',
      'stromaflow.scanner': 'gt 450',
    });
    expect(collector.requests[0]!.path).toBe('/v1/traces');
    expect(spans.length).toBe(3 + batches.length * 8);
    for (const { body } of collector.requests) expect(body.toString()).not.toContain(SLIDE);
  });

  it('are what its events name: masks their batch, the others the slide', async () => {
    const collector = await collect();
    const { events } = await segment({ otlp: collector.url, 'aggregate-interval': 0.05 });
    const { spans } = collector;
    const [slide] = named(spans, 'slide');
    const batches = new Map(named(spans, 'batch').map(batch => [batch.spanId, 0]));
    for (const event of events) {
      expect(event.extensions['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(event.extensions['traceparent']).toContain(slide!.traceId);
      expect(decodeEvent(event)).toMatchObject({ traceparent: event.extensions['traceparent'] });
      const span = spanOf(event)!;
      if (event.type === 'stromaflow.mask.v1') batches.set(span, batches.get(span)! + 1);
      else expect(span).toBe(slide!.spanId);
    }
    const patches = named(spans, 'batch').map(({ spanId, attributes }) => [spanId, attributes['stromaflow.patches']]);
    expect([...batches]).toEqual(patches);
  });

  it('link a batch to every slide it is of', async () => {
    const alone = await segment({});
    const tissue = alone.events.filter(({ type }) => type === 'stromaflow.mask.v1').length;
    const collector = await collect();
    // A batch that is full with all of both slides, and not before.
    const all = { batch: tissue * 2, 'batches-in-flight': 2, 'batch-delay': 600_000 };
    await segment({ otlp: collector.url, ...all }, { ids: ['a', 'b'] });
    const slides = named(collector.spans, 'slide');
    expect(slides.map(({ attributes }) => attributes['stromaflow.slide']).sort()).toEqual(['a', 'b']);
    expect(slides[0]!.traceId).not.toBe(slides[1]!.traceId);
    const mixed = named(collector.spans, 'batch').filter(({ links }) => links.length > 0);
    expect(mixed.length).toBeGreaterThan(0);
    for (const { parentSpanId, links } of mixed)
      expect([parentSpanId, ...links.map(({ spanId }) => spanId)].sort()).toEqual(
        slides.map(({ spanId }) => spanId).sort(),
      );
  });

  it('say which patches failed, and with which code', async () => {
    const collector = await collect();
    let calls = 0;
    const change = (parts: Parts) =>
      withSegmenter(parts, async slots => {
        calls += 1;
        const failed = new Map(
          calls === 1 ? [[0, { error: new StromaflowError('MODEL_NOT_FINITE', 'NaN'), attempts: 2 }]] : [],
        );
        const { patchSize } = parts.models.current.model;
        const bits = slots.map(() => new Uint8Array(patchSize ** 2 / 8));
        return { bits, failed, counts: new Int32Array(slots.length), seconds: 0.001 };
      });
    await segment({ otlp: collector.url }, { change });
    const [slide] = named(collector.spans, 'slide');
    expect(slide!.events).toMatchObject([
      { name: 'patch failed', attributes: { stage: 'infer', code: 'MODEL_NOT_FINITE', attempts: 2 } },
    ]);
    expect(slide!.attributes).toMatchObject({ 'stromaflow.patches.failed': 1 });
  });

  it('are none of a slide that is not sampled, and its events say so', async () => {
    process.env['OTEL_TRACES_SAMPLER'] = 'always_off';
    const collector = await collect();
    const { events } = await segment({ otlp: collector.url });
    expect(collector.requests).toEqual([]);
    expect(events.length).toBeGreaterThan(3);
    for (const event of events) expect(event.extensions['traceparent']).toMatch(/-00$/);
  });

  it('are made by nobody who was not asked, and no event names one', async () => {
    const opened = await partsWith({ out: await emptyFolder() });
    expect(opened.tracer).toBeUndefined();
    await opened.close();
    const { events } = await segment({});
    for (const { extensions } of events) expect(extensions).not.toHaveProperty('traceparent');
  });

  it('go as protobuf unless JSON is asked for', async () => {
    delete process.env['OTEL_EXPORTER_OTLP_PROTOCOL'];
    const collector = await collect();
    await segment({ otlp: collector.url });
    process.env['OTEL_EXPORTER_OTLP_PROTOCOL'] = 'http/json';
    expect(collector.requests.length).toBeGreaterThan(0);
    for (const { headers, body } of collector.requests) {
      expect(headers['content-type']).toBe('application/x-protobuf');
      // ExportTraceServiceRequest: field 1, length-delimited.
      expect(body[0]).toBe(0x0a);
      expect(body.includes('stromaflow')).toBe(true);
    }
  });
});

it('weighs the batches of a slide so that a trace is bounded, and adds up', () => {
  const none: Tracer = {
    start: () => ({
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      sampled: true,
      event: () => undefined,
      end: () => undefined,
    }),
    close: async () => undefined,
  };
  const trace = SlideTrace.begin(none, {});
  const wrong: number[] = [];
  let kept = 0;
  let stoodFor = 0;
  for (let batch = 1; batch <= 100_000; batch++) {
    const weight = trace.weighNext();
    if (weight > 0) kept += 1;
    stoodFor += weight;
    // The last that was kept stands for what is still to come.
    const ahead = stoodFor - batch;
    if (ahead < 0 || ahead >= batch / 512 + 1 || (batch <= 512 && kept !== batch)) wrong.push(batch);
  }
  expect(wrong).toEqual([]);
  expect(kept).toBeLessThan(512 * 9);
});

describe('a collector that', () => {
  const unused = async (): Promise<string> => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    return `http://127.0.0.1:${port}`;
  };

  it('is away ends no run and is told of once, with what was lost in the end', async () => {
    const told: string[] = [];
    const { results } = await segment({ otlp: await unused() }, { told });
    expect(results).toMatchObject([{ state: 'completed' }]);
    const lost = told.filter(line => line.includes('were not sent'));
    expect(lost).toHaveLength(1);
    expect(lost[0]).toMatch(/ (\d+) of \1 spans were not sent \[TRACES_UNSENT\]/);
    expect(told.length).toBeLessThanOrEqual(2);
  });

  it('never answers ends no run: what it was asked is given up', async () => {
    const told: string[] = [];
    // Were it waited for, this would not come to an end.
    process.env['OTEL_EXPORTER_OTLP_TIMEOUT'] = '9999999';
    const collector = await collect(() => undefined);
    const { results } = await segment({ otlp: collector.url }, { told });
    delete process.env['OTEL_EXPORTER_OTLP_TIMEOUT'];
    expect(results).toMatchObject([{ state: 'completed' }]);
    expect(collector.requests.length).toBeGreaterThan(0);
    expect(told).toEqual([expect.stringContaining('were not sent')]);
  });

  it('refuses is told of once, and asked no second time for the same spans', async () => {
    const told: string[] = [];
    const collector = await collect(response => {
      response.statusCode = 401;
      response.end();
    });
    await segment({ otlp: collector.url }, { told });
    expect(told[0]).toContain('it answered 401');
    expect(told[1]).toContain('were not sent');
    expect(told).toHaveLength(2);
    const bodies = collector.requests.map(({ body }) => body.toString());
    expect(new Set(bodies).size).toBe(bodies.length);
  });
});

it('has the batches of workers in the trace of the slide, whose tasks are handed out by another process', async () => {
  const server = await startNatsServer({ jetstream: true });
  closing.push(() => server.stop());
  const nc = await connect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS, true);
  const collector = await collect();
  const common = { 'task-patches': 3, readers: 1, nats: server.url, otlp: collector.url } as const;

  const bus = await openWorkBus({ prefix: 'stroma.v1', ...common } as unknown as Config);
  const parts = await partsWith({ ...common, out: await emptyFolder() }, { ledger: createMemoryLedger(), bus });
  const { connection } = bus;
  const queue = new TaskQueue({ connection, prefix: 'stroma.v1', modelVersion: '0', timeoutSeconds: 1 });
  await queue.open();
  const over = new AbortController();
  const working = lastValueFrom(
    work(parts, { queue, lanes: 2, mounted: undefined, tries: 4 }, over.signal).pipe(tap(() => undefined)),
    { defaultValue: undefined },
  );
  const heard: string[] = [];
  const listening = nc.subscribe('stroma.v1.*.*.mask.>', {
    callback: (_, { headers }) => {
      heard.push(`${headers?.get('traceparent')} ${headers?.get('ce-traceparent')}`);
    },
  });
  await nc.flush();
  const { results, events } = await segment({ ...common, role: 'ingest' });
  expect(results).toMatchObject([{ state: 'completed' }]);
  await nc.flush();
  listening.unsubscribe();
  over.abort();
  await working;
  await parts.close();
  await bus.close();
  await nc.close();

  const { spans } = collector;
  const [slide, ...others] = named(spans, 'slide');
  expect(others).toEqual([]);
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([slide!.traceId]));
  const tasks = named(spans, 'task');
  expect(sum(tasks.map(({ attributes }) => attributes['stromaflow.patches'] as number))).toBe(30);
  const batches = named(spans, 'batch');
  const masks = events.filter(({ type }) => type === 'stromaflow.mask.v1');
  expect(sum(batches.map(({ attributes }) => attributes['stromaflow.patches'] as number))).toBe(masks.length);
  for (const { parentSpanId } of [...tasks, ...batches]) expect(parentSpanId).toBe(slide!.spanId);
  expect(new Set(partsOf(spans, tasks[0]!).map(({ name }) => name))).toEqual(
    new Set(['workers', 'store', 'publish', 'acknowledge']),
  );
  // On the wire it is where CloudEvents has it, and where tracers of NATS look.
  expect(heard).toHaveLength(masks.length);
  for (const line of heard) expect(line).toMatch(new RegExp(`^(00-${slide!.traceId}-[0-9a-f]{16}-01) \\1$`));
});
