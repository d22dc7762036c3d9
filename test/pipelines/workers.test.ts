import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { Retries } from '#pipelines/retries.js';
import { StromaflowError } from '#src/errors.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { DeadLetters } from '#src/event/stream/dead-letters.js';
import { openManager } from '#src/event/stream/setup.js';
import { briefEvents } from '#src/tasks/brief.js';
import { Leftovers } from '#src/tasks/leftovers.js';
import { taskEvent, WorkSubjects } from '#src/tasks/task.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { RecordingObserver } from '../support/observer.js';
import { partsWith, withSegmenter } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { eventually } from '../support/processes.js';
import { THOROUGH } from '../support/thorough.js';
import { finishedMask, happened, maskOf, scan, watchFor } from './live-support.js';

import {
  bus,
  COMMON,
  closing,
  expected,
  files,
  masks,
  openIngest,
  openServer,
  queued,
  segment,
  startWorker,
} from './work-support.js';

describe('ingest and workers', () => {
  it('make what one process makes: masks, files and areas, byte for byte', async () => {
    const server = await openServer();
    const [atIngest, atWorkers] = [new RecordingObserver(), new RecordingObserver()];
    const watched = (parts: Parts): Parts => ({ ...parts, observer: atWorkers });
    const workers = await Promise.all([1, 2, 3].map(() => startWorker(server, watched)));
    const { parts, events, out } = await openIngest(server);
    expect(await segment({ ...parts, observer: atIngest })).toMatchObject({ state: 'completed' });
    const one = await expected;
    // Patches without a mask are told of by their owner, as one process does, and by nobody else.
    expect(one.drops).toContain('empty');
    expect([atIngest.drops.toSorted(), atWorkers.drops]).toEqual([one.drops.toSorted(), []]);
    expect(one.masks.size).toBeGreaterThan(10);
    expect(masks(events)).toEqual(one.masks);
    expect(await files(join(out, 'slide'))).toEqual(one.files);
    expect(workers.flatMap(({ results }) => results).every(({ state }) => state === 'done')).toBe(true);
    expect(parts.credits.free).toBe(parts.credits.total);
    // Done is done: nothing is left in the queues, nor of what workers read the slide by.
    await eventually(async () => (await queued(server)) === 0);
  });

  it('read the slides where each has them', async () => {
    const server = await openServer();
    const [here, there] = [await emptyFolder(), await emptyFolder()];
    await mkdir(join(there, 'case'));
    await mkdir(join(here, 'case'));
    for (const root of [here, there]) await copyFile(SLIDE, join(root, 'case', 'slide.svs'));
    const out = await emptyFolder();
    const parts = await partsWith({ ...COMMON, nats: server.url, role: 'ingest', out }, { root: here });
    closing.push(() => parts.close());
    const opened: string[] = [];
    await startWorker(
      server,
      worker => ({
        ...worker,
        readers: Object.assign(Object.create(worker.readers), {
          open: (slide: { source: { path: string } }, ...rest: [never, never]) => {
            opened.push(slide.source.path);
            return worker.readers.open(slide as never, ...rest);
          },
        }),
      }),
      { mounted: there },
    );
    expect(await segment(parts, 'slide', join(here, 'case', 'slide.svs'))).toMatchObject({ state: 'completed' });
    expect(opened).toEqual([join(there, 'case', 'slide.svs')]);
  });

  it('wait for workers, and one with another model leaves the tasks', async () => {
    const server = await openServer();
    const { parts } = await openIngest(server);
    let isOver = false;
    const running = segment(parts).then(result => {
      isOver = true;
      return result;
    });
    const given = { ...COMMON, nats: server.url } as const;
    const other = await bus(given);
    closing.push(() => other.close());
    const queue = new TaskQueue({
      connection: other.connection,
      prefix: 'stroma.v1',
      modelVersion: '7',
      timeoutSeconds: 1,
    });
    await queue.open();
    await eventually(async () => (await queued(server, ['tasks'])) > 0);
    expect(await queue.backlog()).toEqual({ waiting: 0, inHand: 0 });
    expect(isOver).toBe(false);
    await startWorker(server);
    expect(await running).toMatchObject({ state: 'completed' });
  });
});

describe('a slide that grows', () => {
  for (const as of THOROUGH ? (['growing-tiff', 'tile-folder', 'dicom'] as const) : (['growing-tiff'] as const))
    it(`${as}: workers read it while it is written, and the mask is that of the finished slide`, async () => {
      const server = await openServer();
      const worker = await startWorker(server);
      const config = { ...COMMON, nats: server.url, role: 'ingest' };
      const versions = new Set<string>();
      const listener = await connect({ servers: server.url });
      closing.push(() => listener.close());
      listener.subscribe('stroma.v1.*.*.brief.>', { callback: (_, { subject }) => void versions.add(subject) });
      const { results, out, events } = await watchFor(1, { config }, async (folder, signal) => {
        // The scanner waits with half of the slide for the first mask.
        const first = as === 'growing-tiff' ? happened('mask', signal) : undefined;
        let tiles = 0;
        const onTile = async (): Promise<void> => {
          tiles += 1;
          if (tiles === 65) await first;
        };
        return scan({ as, ...(as === 'growing-tiff' ? { onTile } : { rate: 400 }) })(folder, signal);
      });
      expect(results[0]).toMatchObject({ state: 'completed' });
      expect(await maskOf(out, 'CMU-1-Small-Region')).toEqual(await finishedMask(SLIDE, 'CMU-1-Small-Region'));
      expect(masks(events).size).toBeGreaterThan(10);
      expect(worker.results.length).toBeGreaterThan(3);
      // Each growth that ingest saw was told of, before the first mask and after it; what was superseded is gone with the tasks that named it, and the last with the slide.
      expect(versions.size).toBeGreaterThan(1);
      expect(await queued(server, ['tasks', 'briefs'])).toBe(0);
    });
});

it('a queue that has tasks and hands out none is begun anew, and counted', async () => {
  const server = await openServer();
  const { parts } = await openIngest(server);
  const running = segment(parts);
  const { connection } = await bus({ ...COMMON, nats: server.url });
  // What is asked of the consumer gets lost, until it is another one.
  let isDeaf = true;
  const publish = connection.publish.bind(connection);
  connection.publish = (subject, ...rest) => {
    if (subject.includes('.CONSUMER.DELETE.')) isDeaf = false;
    if (!(isDeaf && subject.includes('.CONSUMER.MSG.NEXT.'))) publish(subject, ...rest);
  };
  const request = connection.request.bind(connection);
  connection.request = (subject, ...rest) => {
    if (subject.includes('.CONSUMER.DELETE.')) isDeaf = false;
    return request(subject, ...rest);
  };
  const modelVersion = '0';
  const queue = new TaskQueue({
    connection,
    prefix: 'stroma.v1',
    modelVersion,
    timeoutSeconds: 1,
    standstillSeconds: 0.1,
  });
  await queue.open();
  for await (const taken of queue.take(new AbortController().signal)) {
    taken.putBack(0);
    break;
  }
  expect(queue.standstills).toBe(1);
  await startWorker(server);
  expect(await running).toMatchObject({ state: 'completed' });
  await connection.close();
});

/** Signs of life are due every third of a second: on a busy machine some come late, and the task is begun once more. */
const PATIENT = { tries: 100 };

describe('whatever dies', () => {
  it('a worker with tasks in hand: others do them', async () => {
    const server = await openServer();
    const { parts, events, out } = await openIngest(server);
    const running = segment(parts);
    // One that takes tasks and is gone: no outcome, no word, no sign of life.
    const dead = await bus({ ...COMMON, nats: server.url });
    const queue = new TaskQueue({
      connection: dead.connection,
      prefix: 'stroma.v1',
      modelVersion: '0',
      timeoutSeconds: 1,
    });
    await queue.open();
    const abandoned = new AbortController();
    let taken = 0;
    for await (const _ of queue.take(abandoned.signal)) if (++taken === 3) break;
    await dead.connection.close();
    await startWorker(server, undefined, PATIENT);
    expect(await running).toMatchObject({ state: 'completed' });
    const one = await expected;
    expect(masks(events)).toEqual(one.masks);
    expect(await files(join(out, 'slide'))).toEqual(one.files);
  });

  it('the server, again and again, and its store once: every patch has exactly one mask', async () => {
    const server = await openServer();
    const { parts, events, out } = await openIngest(server, { 'task-patches': 2, 'tasks-ahead': 8 });
    const workers = [await startWorker(server, undefined, PATIENT), await startWorker(server, undefined, PATIENT)];
    const running = segment(parts);
    const done = () => masks(events).size;
    for (const [at, wiped] of [
      [3, false],
      [8, true],
      [13, false],
    ] as const) {
      await eventually(() => done() >= at);
      await server.kill();
      if (wiped) await server.loseStore();
      await server.restart();
    }
    expect(await running).toMatchObject({ state: 'completed' });
    const one = await expected;
    expect(masks(events)).toEqual(one.masks);
    expect(await files(join(out, 'slide'))).toEqual(one.files);
    for (const worker of workers) await worker.stop();
  });

  it('ingest itself: another start goes on, with what workers did meanwhile', async () => {
    const server = await openServer();
    const out = await emptyFolder();
    const first = await openIngest(server, { out, 'task-patches': 2, 'tasks-ahead': 8 });
    const stop = new AbortController();
    const interrupted = once(stop.signal, 'abort');
    // Some patches are done before ingest is interrupted, the others not.
    await startWorker(server, parts => {
      const { segmenter } = parts.models.current;
      let batches = 0;
      return withSegmenter(parts, async slots => {
        if (batches++ >= 4) await interrupted;
        return segmenter.segment(slots);
      });
    });
    const running = segment(first.parts, 'slide', SLIDE, stop.signal);
    await eventually(() => masks(first.events).size >= 2);
    stop.abort();
    expect(await running).toMatchObject({ state: 'interrupted' });
    await first.parts.close();
    // It will go on: its briefs stay. Of a run that nobody knows nothing does.
    const subjects = new WorkSubjects('stroma.v1', { site: 'site', scanner: 'scanner' });
    const other = await bus({ ...COMMON, nats: server.url });
    for (const event of briefEvents(subjects, { slide: 'gone', run: 'r', version: 1 }, Buffer.from('brief')))
      await other.publish(event);
    await other.publish(
      taskEvent(subjects, '7', { slide: 'gone', run: 'r', brief: { version: 1, parts: 1 }, patches: [[0, 0]] }),
    );
    const leftovers = new Leftovers(other.connection, 'stroma.v1', subjects);
    expect((await leftovers.runs()).map(({ slide }) => slide).toSorted()).toEqual(['gone', 'slide']);
    const second = await openIngest(server, { out });
    expect((await leftovers.runs()).map(({ slide }) => slide)).toEqual(['slide']);
    await other.close();
    expect(await segment(second.parts)).toMatchObject({ state: 'completed' });
    const one = await expected;
    expect(masks([...first.events, ...second.events])).toEqual(one.masks);
    expect(await files(join(out, 'slide'))).toEqual(one.files);
    await eventually(async () => (await queued(server)) === 0);
  });
});

describe('what cannot be done', () => {
  it('a task that ends every worker is reported after so many times, patch by patch, and the rest is done', async () => {
    const server = await openServer();
    const { parts, events, out } = await openIngest(server);
    const running = segment(parts);
    for (const _ of [1, 2]) await dieOfFirst(server);
    const worker = await startWorker(server, undefined, { tries: 2 });
    const result = await running;
    const letters = events
      .filter(({ type }) => type === 'stromaflow.dlq.infer.v1')
      .map(({ data }) => JSON.parse(Buffer.from(data).toString()));
    expect(letters.length).toBeGreaterThanOrEqual(3);
    expect(result).toMatchObject({ summary: { patches: { failed: letters.length } } });
    expect(letters[0]).toMatchObject({
      attempts: 3,
      error: { code: 'ENGINE_FAILED', message: expect.stringContaining('never finished') },
    });
    expect(worker.results.some(({ state }) => state === 'given-up')).toBe(true);

    // Put back, they make the slide what one process makes of it: it is over, and is opened once more.
    const operator = await connectNatsBus({ url: server.url, publish: 'jetstream' });
    closing.push(() => operator.close());
    const store = new DeadLetters(operator, await openManager(operator.connection), 'stroma.v1');
    const found = await store.list({ kind: 'poison' });
    expect(found.map(({ standing }) => standing)).toEqual(letters.map(() => 'open'));
    await store.retry(found);
    const retries = new Retries({ ...parts, bus: await bus({ ...COMMON, nats: server.url }) });
    closing.push(() => retries.close());
    await retries.begin(
      result => expect(result).toEqual({ state: 'again', slide: 'slide', patches: found.length }),
      error => expect.fail(error.message),
    );
    // Of one graph the stage is in use once: the next start has another.
    await parts.close();
    const next = await openIngest(server, { out });
    expect(await segment(next.parts)).toMatchObject({ state: 'completed', summary: { patches: { failed: 0 } } });
    expect(await files(join(out, 'slide'))).toEqual((await expected).files);
    expect(await store.list()).toEqual([]);
  });

  it('a slide that no worker can reach is reported, not waited for', async () => {
    const server = await openServer();
    const { parts } = await openIngest(server);
    const unreachable = new StromaflowError('SLIDE_UNREADABLE', 'no such share');
    await startWorker(
      server,
      worker => ({
        ...worker,
        readers: Object.assign(Object.create(worker.readers), { open: () => Promise.reject(unreachable) }),
      }),
      { tries: 1 },
    );
    expect(await segment(parts)).toMatchObject({ state: 'incomplete', reason: 'patches-failed' });
  });

  it('without the streams of shared work, or without a server, in one line', async () => {
    const server = await startNatsServer({ jetstream: true });
    closing.push(() => server.stop());
    await expect(partsWith({ out: await emptyFolder(), nats: server.url, role: 'ingest' })).rejects.toMatchObject({
      code: 'EVENTS_STREAM',
    });
    await expect(partsWith({ out: await emptyFolder(), role: 'ingest' })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

/** A worker that takes tasks until it has that of the first patch, and dies of it. */
async function dieOfFirst(server: TestNatsServer): Promise<void> {
  const { connection } = await bus({ ...COMMON, nats: server.url });
  const queue = new TaskQueue({ connection, prefix: 'stroma.v1', modelVersion: '0', timeoutSeconds: 1 });
  await queue.open();
  for await (const { task } of queue.take(new AbortController().signal)) {
    if (task.patches.some(([col, row]) => col === 0 && row === 0)) break;
  }
  await connection.close();
}
