import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { lastValueFrom, of, toArray } from 'rxjs';
import { afterEach, expect, it } from 'vitest';
import { type Kept, keepEvents, publishMissing } from '#pipelines/keep-events.js';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { openSlide } from '#src/slide/open.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { eventually } from '../support/processes.js';

const STREAMS = ['stroma_v1_masks', 'stroma_v1_latest', 'stroma_v1_slides'];
const signal = new AbortController().signal;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openServer(): Promise<TestNatsServer> {
  const server = await startNatsServer({ jetstream: true });
  closing.push(() => server.stop());
  const nc = await connect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS);
  await nc.close();
  return server;
}

async function openParts(server: TestNatsServer, out: string, site = 'Sint-Jan'): Promise<Parts> {
  const parts = await partsWith({ out, nats: server.url, publish: 'jetstream', site });
  closing.push(() => parts.close());
  return parts;
}

async function segment(parts: Parts, stop = signal) {
  const task = { path: SLIDE, id: 'slide', open: () => openSlide(SLIDE, { id: 'slide' }) };
  return lastValueFrom(segmentSlides(of(task), parts, stop).pipe(toArray()));
}

/** Every message: subject, id and payload, in the order of subjects. Of `slides` the last of each subject. */
async function messages(server: TestNatsServer): Promise<Map<string, string>> {
  const nc = await connect({ servers: server.url });
  const manager = await jetstreamManager(nc);
  const found = new Map<string, string>();
  for (const name of STREAMS) {
    const { state } = await manager.streams.info(name);
    for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
      const message = await manager.streams.getMessage(name, { seq }).catch(() => null);
      if (!message || message.subject.includes('.progress.')) continue;
      const headers = [...message.header]
        .map(([key, values]) => `${key}=${values}`)
        .filter(line => !/^ce-time/.test(line));
      const data = createHash('sha256').update(message.data).digest('hex');
      found.set(message.subject, JSON.stringify([headers.sort(), data]));
    }
  }
  await nc.close();
  return found;
}

it('a server that lost everything gets all of it again, the same in every byte, with the next start', async () => {
  const server = await openServer();
  const out = await emptyFolder();
  const first = await openParts(server, out, 'Sint Jan');
  await segment(first);
  const before = await messages(server);
  expect([...before.keys()].filter(subject => subject.includes('.mask.')).length).toBeGreaterThan(5);
  await first.close();
  await server.kill();
  await server.loseStore();
  await server.restart();
  const nc = await connect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS);
  await nc.close();
  // Under another name now: what was said is said again as it was.
  const second = await openParts(server, out, 'elsewhere');
  const kept: Kept[] = [];
  const keeping = keepEvents(second, { onKept: done => kept.push(done) });
  await keeping.compared;
  await keeping.stop();
  expect(await messages(server)).toEqual(before);
  expect(kept).toEqual([{ slides: 1, masks: before.size - 3, others: 3, lost: 0 }]);
  // And once it is there, nothing is published.
  expect(await publishMissing(second, signal)).toEqual({ slides: 0, masks: 0, others: 0, lost: 0 });
});

it('a server that comes back without its store gets it from the process that still runs', async () => {
  const server = await openServer();
  const parts = await openParts(server, await emptyFolder());
  await segment(parts);
  const before = await messages(server);
  const kept: Kept[] = [];
  const keeping = keepEvents(parts, { onKept: done => kept.push(done) });
  await keeping.compared;
  expect(kept).toEqual([]);
  await server.kill();
  await server.loseStore();
  await server.restart();
  await eventually(() => kept.length > 0);
  await keeping.stop();
  expect(await messages(server)).toEqual(before);
});

it('one that was killed, its store on disk, is asked and needs nothing', async () => {
  const server = await openServer();
  const parts = await openParts(server, await emptyFolder());
  await segment(parts);
  const before = await messages(server);
  await server.kill();
  await server.restart();
  await eventually(() => parts.bus.connected);
  expect(await publishMissing(parts, signal)).toEqual({ slides: 0, masks: 0, others: 0, lost: 0 });
  expect(await messages(server)).toEqual(before);
});

it('what a server had acknowledged and lost in a power cut is published again, and nothing else', async () => {
  const server = await openServer();
  const parts = await openParts(server, await emptyFolder());
  await segment(parts);
  const before = await messages(server);
  await server.kill();
  await server.loseTail(STREAMS[0]!, 5000);
  await server.restart();
  await eventually(() => parts.bus.connected);
  const left = (await messages(server)).size;
  expect(left).toBeLessThan(before.size);
  const kept = await publishMissing(parts, signal);
  expect(kept).toEqual({ slides: 1, masks: before.size - left, others: 0, lost: 0 });
  expect(await messages(server)).toEqual(before);
});

it('what somebody deleted is published again', async () => {
  const server = await openServer();
  const parts = await openParts(server, await emptyFolder());
  await segment(parts);
  const subjects = [...(await messages(server)).keys()];
  const nc = await connect({ servers: server.url });
  const manager = await jetstreamManager(nc);
  const { state } = await manager.streams.info(STREAMS[0]!);
  for (const back of [0, 1, 2]) await manager.streams.deleteMessage(STREAMS[0]!, state.last_seq - back);
  await nc.close();
  expect(await publishMissing(parts, signal)).toEqual({ slides: 1, masks: 3, others: 0, lost: 0 });
  expect([...(await messages(server)).keys()]).toEqual(expect.arrayContaining(subjects));
});

it('what the operator purged stays away', async () => {
  const server = await openServer();
  const parts = await openParts(server, await emptyFolder());
  await segment(parts);
  const nc = await connect({ servers: server.url });
  const manager = await jetstreamManager(nc);
  for (const name of STREAMS) await manager.streams.purge(name);
  await nc.close();
  expect(await publishMissing(parts, signal)).toEqual({ slides: 0, masks: 0, others: 0, lost: 0 });
  expect((await messages(server)).size).toBe(0);
});

it('masks whose files are gone are counted, not made up', async () => {
  const server = await openServer();
  const out = await emptyFolder();
  const parts = await openParts(server, out);
  await segment(parts);
  const before = await messages(server);
  await rm(join(out, 'slide', 'mask.ome.zarr'), { recursive: true });
  await server.kill();
  await server.loseStore();
  await server.restart();
  await eventually(() => parts.bus.connected);
  await eventually(async () => (await publishMissing(parts, signal).catch(() => undefined))?.lost === before.size - 3);
  expect([...(await messages(server)).keys()].some(subject => subject.includes('.mask.'))).toBe(false);
});

it('a slide whose events were lost while it was under way has all of them in the end', async () => {
  const server = await openServer();
  const out = await emptyFolder();
  const parts = await openParts(server, out);
  const keeping = keepEvents(parts);
  let published = 0;
  let wiped: Promise<void> | undefined;
  const wipe = async (): Promise<void> => {
    await server.kill();
    await server.loseStore();
    await server.restart();
  };
  const bus: Parts['bus'] = {
    ...{ description: parts.bus.description, connected: true, kept: parts.bus.kept },
    subscribe: (pattern, until) => parts.bus.subscribe(pattern, until),
    close: () => parts.bus.close(),
    async publish(event, giveUp) {
      await parts.bus.publish(event, giveUp);
      published += 1;
      if (published === 6) wiped = wipe();
    },
  };
  await segment({ ...parts, bus });
  await wiped;
  await eventually(async () => {
    const { masks, others } = await publishMissing(parts, signal).catch(() => ({ masks: 1, others: 1 }));
    return masks + others === 0;
  });
  await keeping.stop();
  const control = await openServer();
  await segment(await openParts(control, await emptyFolder()));
  const subjects = async (from: TestNatsServer) => [...(await messages(from)).keys()].sort();
  expect(await subjects(server)).toEqual(await subjects(control));
});
