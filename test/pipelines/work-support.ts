import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { lastValueFrom, of, tap, toArray } from 'rxjs';
import { afterEach, expect } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { SlideTask } from '#pipelines/slide-task.js';
import { openWorkBus } from '#pipelines/work-bus.js';
import { type TaskResult, type WorkOptions, work } from '#pipelines/worker.js';
import type { Config } from '#src/config/options.js';
import type { BusEvent } from '#src/event/bus.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { openSlide } from '#src/slide/open.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { RecordingObserver } from '../support/observer.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

export const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export async function openServer(config = ''): Promise<TestNatsServer> {
  const server = await startNatsServer({ jetstream: true, config });
  closing.push(() => server.stop());
  await setup(server);
  return server;
}

export async function setup(server: TestNatsServer): Promise<void> {
  const nc = await connect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS, true);
  await nc.close();
}

export const COMMON = { 'task-patches': 3, 'task-timeout': 1, readers: 1 } as const;

export async function openIngest(server: TestNatsServer, options: Partial<Config> = {}) {
  const out = options.out ?? (await emptyFolder());
  const parts = await partsWith({ ...COMMON, nats: server.url, role: 'ingest', ...options, out });
  closing.push(() => parts.close());
  return { out, ...recording(parts) };
}

export interface Worker {
  readonly results: TaskResult[];
  readonly parts: Parts;
  /** Finishes what is in hand. */
  stop(): Promise<void>;
}

/** A worker in this process, with a connection, an arena, readers and an engine of its own. */
export async function startWorker(
  server: TestNatsServer,
  change: (parts: Parts) => Parts = parts => parts,
  more: Partial<WorkOptions> = {},
): Promise<Worker> {
  const given = { ...COMMON, nats: server.url } as const;
  const parts = await partsWith(
    { ...given, out: await emptyFolder() },
    { ledger: createMemoryLedger(), bus: await bus(given) },
  );
  const { connection } = parts.bus as Awaited<ReturnType<typeof openWorkBus>>;
  const queue = new TaskQueue({ connection, prefix: 'stroma.v1', modelVersion: '0', timeoutSeconds: 1 });
  await queue.open();
  const results: TaskResult[] = [];
  const over = new AbortController();
  const working = lastValueFrom(
    work(change(parts), { queue, lanes: 2, mounted: undefined, tries: 4, ...more }, over.signal).pipe(
      tap(result => results.push(result)),
    ),
    { defaultValue: undefined },
  );
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      over.abort();
      await working;
      await parts.close();
      await parts.bus.close();
    })();
    return stopped;
  };
  closing.push(stop);
  return { results, parts, stop };
}

export async function bus(options: Partial<Config>) {
  return openWorkBus({ prefix: 'stroma.v1', ...options } as Config);
}

export async function segment(
  parts: Parts,
  id = 'slide',
  path = SLIDE,
  signal = new AbortController().signal,
  task: SlideTask = { path, id, open: () => openSlide(path, { id }) },
): Promise<SlideResult> {
  const [result] = await lastValueFrom(segmentSlides(of(task), parts, signal).pipe(toArray()));
  return result!;
}

/** Of DICOM, as its tag is written. */
const PIXEL_DATA = Buffer.from([0xe0, 0x7f, 0x10, 0x00]);

/** Every file of a slide by its hash; lines of patches in the order of the grid, and of the summary what does not tell time or engine. */
export async function files(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    if (!(await stat(join(folder, name))).isFile()) continue;
    const whole = await readFile(join(folder, name));
    let bytes: Buffer | string = whole;
    // Its ids and dates are of when it was made: pixels from their element on.
    if (name.endsWith('.dcm')) bytes = whole.subarray(whole.indexOf(PIXEL_DATA));
    if (name === 'patches.jsonl') bytes = whole.toString().trim().split('\n').sort().join('\n');
    if (name === 'summary.json') {
      const { patches, area, plan, filter, outputs, seams, model, mpp } = JSON.parse(whole.toString());
      bytes = JSON.stringify({ patches, area, plan, filter, outputs, seams, model, mpp });
    }
    found.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  return found;
}

/** Masks as they were published: subject, headers and payload, by subject; the same twice is a failure. */
export function masks(events: readonly BusEvent[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { type, time, data, ...event } of events) {
    if (type !== 'stromaflow.mask.v1') continue;
    expect(found.has(event.subject)).toBe(false);
    found.set(event.subject, JSON.stringify([event, Buffer.from(data).toString('base64')]));
  }
  return found;
}

/** What a process made of a slide. */
interface Made {
  readonly files: Map<string, string>;
  readonly masks: Map<string, string>;
  readonly events: readonly BusEvent[];
  readonly drops: readonly string[];
}

/** What one process makes of the slide. */
export async function alone(path = SLIDE): Promise<Made> {
  const out = await emptyFolder();
  const { parts, events } = recording(await partsWith({ ...COMMON, out }));
  const observer = new RecordingObserver();
  expect(await segment({ ...parts, observer }, 'slide', path)).toMatchObject({ state: 'completed' });
  await parts.close();
  return { files: await files(join(out, 'slide')), masks: masks(events), events, drops: observer.drops };
}

/** What one process makes of the committed slide. */
export const expected = alone();

export async function queued(server: TestNatsServer, kinds = ['tasks', 'outcomes', 'briefs']): Promise<number> {
  const nc = await connect({ servers: server.url });
  const manager = await openManager(nc);
  const counts = await Promise.all(
    kinds.map(async kind => (await manager.streams.info(`stroma_v1_${kind}`)).state.messages),
  );
  await nc.close();
  return counts.reduce((sum, count) => sum + count, 0);
}
