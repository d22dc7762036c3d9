import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { nkeys } from '@nats-io/nats-core';
import { connect as plainConnect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '#src/event/client.js';
import { createEvents } from '#src/event/contract.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { retryDurable, retryEvent, retryPattern } from '#src/event/retry.js';
import { DeadLetters } from '#src/event/stream/dead-letters.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { Leftovers } from '#src/tasks/leftovers.js';
import { pieceEvents } from '#src/tasks/pieces.js';
import { outcomeEvents, taskEvent, WorkSubjects } from '#src/tasks/task.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import { aggregate, deadLetter, maskInput, slidePayloads } from '../event/samples.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { emptyFolder } from '../support/paths.js';

const CONF = new URL('../../deploy/nats/stromaflow.conf', import.meta.url);
const ROLES = ['ingest', 'worker', 'viewer', 'operator', 'admin'];
const ORIGIN = { site: 'lab', scanner: 'gt450' };
const events = createEvents(ORIGIN);
const subjects = new WorkSubjects('stroma.v1', ORIGIN);
const task = taskEvent(subjects, '0', { slide: 'S1', run: 'r', brief: { version: 1, parts: 1 }, patches: [[0, 0]] });
const record = {
  level: 0,
  col: 0,
  row: 0,
  outcome: 'empty',
  validPixels: 1,
  tissuePixels: 0,
  stromaPixels: 0,
} as const;
const [outcome] = outcomeEvents(subjects.outcome('S1'), subjects.source, {
  slide: 'S1',
  run: 'r',
  results: [{ record }],
});

const [tile] = pieceEvents(subjects, { slide: 'S1', run: 'r', piece: 'p' }, Uint8Array.of(1, 2, 3), 100);

let server: TestNatsServer;
beforeAll(async () => {
  for (const role of ROLES) process.env[`${role.toUpperCase()}_PASSWORD`] = `${role}-secret`;
  const text = await readFile(CONF, 'utf8');
  // The test's server has a folder of its own.
  server = await startNatsServer({ jetstream: true, config: text.slice(text.indexOf('authorization {')) });
  const nc = await plainConnect({ servers: server.url, ...login('admin') });
  const results = await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS, true);
  expect(results.map(({ done }) => done)).toEqual(Array(7).fill('created'));
  await nc.close();
});
afterAll(() => server.stop());

const login = (user: string) => ({ user, pass: `${user}-secret` });
const openBus = (user: string, publish: 'jetstream' | 'core' = 'jetstream') =>
  connectNatsBus({ url: server.url, ...login(user), publish, work: true });
const refused = { code: 'BUS_PUBLISH', message: expect.stringMatching(/permissions violation/i) };

describe('ingest', () => {
  it('publishes what its scanner sees, hands out tasks, and replaces a mask of an earlier run', async () => {
    const bus = await openBus('ingest');
    await bus.publish(events.slide('opened', slidePayloads.opened));
    await bus.publish(events.mask({ ...maskInput(), run: 'a' }));
    await bus.publish(events.mask({ ...maskInput(), run: 'b' }));
    await bus.publish(events.aggregate(aggregate, 'b'));
    await bus.publish(task);
    await bus.publish(events.dlq({ ...deadLetter, slide: 'S1', run: 'r' }));
    await bus.publish(tile!);
    expect((await bus.kept!.ids('stroma.v1.*.*.mask.*.*.*')).size).toBe(1);
    for (const mark of bus.kept!.marks()) expect(await bus.kept!.standing(mark)).toBe('there');
    await bus.close();
  });

  it('lets go of what workers read by, and of nothing else', async () => {
    const bus = await openBus('ingest');
    const left = new Leftovers(bus.connection, 'stroma.v1', subjects);
    for (const event of pieceEvents(subjects, { slide: 'S2', run: 'r', piece: 'p' }, new Uint8Array(9), 100))
      await bus.publish(event);
    await left.drop('S2', 'r');
    const manager = await jetstreamManager(bus.connection, { checkAPI: false, timeout: 500 } as object);
    expect((await manager.streams.info('stroma_v1_tiles')).state.messages).toBe(1);
    for (const kind of ['masks', 'slides', 'latest', 'outcomes'])
      await expect(manager.streams.purge(`stroma_v1_${kind}`)).rejects.toThrow();
    await bus.close();
  });

  it('speaks for no other scanner, takes no task, and deletes no stream', async () => {
    const bus = await openBus('ingest');
    await expect(bus.publish(createEvents({ site: 'lab', scanner: 'other' }).mask(maskInput()))).rejects.toMatchObject(
      refused,
    );
    const manager = await jetstreamManager(bus.connection, { checkAPI: false, timeout: 500 } as object);
    await expect(manager.streams.delete('stroma_v1_masks')).rejects.toThrow();
    await expect(
      manager.consumers.add('stroma_v1_tasks', { durable_name: 'mine', ack_policy: 'explicit' }),
    ).rejects.toThrow();
    await bus.close();
  });
});

describe('a worker', () => {
  it('takes tasks, hands over outcomes and acknowledges', async () => {
    const bus = await openBus('worker');
    const queue = new TaskQueue({
      connection: bus.connection,
      prefix: 'stroma.v1',
      modelVersion: '0',
      timeoutSeconds: 5,
    });
    await queue.open();
    for await (const taken of queue.take(new AbortController().signal)) {
      expect(taken.task).toMatchObject({ slide: 'S1', patches: [[0, 0]] });
      expect([...((await taken.piece('p')) as Uint8Array)]).toEqual([1, 2, 3]);
      expect(await taken.piece('none')).toBeUndefined();
      await bus.publish(outcome!);
      await taken.done();
      break;
    }
    expect(await queue.backlog()).toEqual({ waiting: 0, inHand: 0 });
    await bus.close();
  });

  it('publishes no mask, no areas and nothing about slides, and reads none', async () => {
    const bus = await openBus('worker');
    for (const event of [
      events.mask(maskInput({ col: 3 })),
      events.aggregate(aggregate, 'r'),
      events.slide('opened', slidePayloads.opened),
      task,
      tile!,
      retryEvent(events.dlq(deadLetter).subject, deadLetter, 1),
    ]) {
      await expect(bus.publish(event)).rejects.toMatchObject(refused);
    }
    const received = bus.subscribe('stroma.v1.>', new AbortController().signal);
    await expect(received[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'BUS_SUBSCRIBE' });
    await bus.close();
  });
});

describe('an operator', () => {
  it('lists dead letters, has them done again and drops them; the scanner’s process gets the request', async () => {
    const bus = await connectNatsBus({ url: server.url, ...login('operator'), publish: 'jetstream' });
    const letters = new DeadLetters(bus, await openManager(bus.connection), 'stroma.v1');
    const found = await letters.list();
    expect(found.map(({ letter }) => letter.slide)).toEqual(['S1']);
    await letters.retry(found);
    expect(await letters.list()).toEqual([]);
    await bus.close();
    const ingest = await openBus('ingest');
    const stop = new AbortController();
    for await (const taken of ingest.kept!.take(retryPattern('stroma.v1', ORIGIN), retryDurable(ORIGIN), stop.signal)) {
      expect(taken?.event.extensions).toMatchObject({ slide: 'S1' });
      await taken!.done();
      break;
    }
    stop.abort();
    await ingest.close();
  });

  it('publishes nothing else, takes no task, reads no mask and purges nothing', async () => {
    const bus = await connectNatsBus({ url: server.url, ...login('operator') });
    for (const event of [events.mask(maskInput()), events.dlq(deadLetter), task, tile!, outcome!])
      await expect(bus.publish(event)).rejects.toMatchObject(refused);
    const manager = await jetstreamManager(bus.connection, { checkAPI: false, timeout: 500 } as object);
    await expect(manager.streams.purge('stroma_v1_slides')).rejects.toThrow();
    await expect(manager.streams.getMessage('stroma_v1_masks', { seq: 1 })).rejects.toThrow();
    await expect(
      manager.consumers.add('stroma_v1_tasks', { durable_name: 'mine', ack_policy: 'explicit' }),
    ).rejects.toThrow();
    await bus.close();
  });
});

it('the same rights hold for nkeys instead of passwords', async () => {
  const text = await readFile(CONF, 'utf8');
  const pairs = new Map(ROLES.map(role => [role, nkeys.createUser()]));
  const config = text
    .slice(text.indexOf('authorization {'))
    .replace(/user: (\w+), password: \$\w+/g, (_, role: string) => `nkey: ${pairs.get(role)!.getPublicKey()}`);
  const keyed = await startNatsServer({ jetstream: true, config });
  const folder = await emptyFolder();
  const open = async (role: string, more: object = {}) => {
    const nkeyFile = join(folder, `${role}.nk`);
    await writeFile(nkeyFile, pairs.get(role)!.getSeed());
    return connectNatsBus({ url: keyed.url, nkeyFile, ...more });
  };
  const admin = await open('admin');
  await setupStreams(await openManager(admin.connection), 'stroma.v1', DEFAULT_LIMITS, true);
  const ingest = await open('ingest', { publish: 'jetstream', work: true });
  await ingest.publish(task);
  const viewer = await open('viewer');
  await expect(viewer.publish(task)).rejects.toMatchObject(refused);
  for (const bus of [admin, ingest, viewer]) await bus.close();
  await keyed.stop();
});

describe('a viewer', () => {
  it('reads what is kept and what comes, and keeps its place', async () => {
    const client = await connect({ url: server.url, ...login('viewer') });
    for await (const mask of client.masks({ from: 'all' })) {
      expect(mask.run).toBe('b');
      break;
    }
    expect((await client.lastAggregate(aggregate.slide))?.aggregate.revision).toBe(aggregate.revision);
    const stop = new AbortController();
    let seen = 0;
    await client.handleMasks({ durable: 'viewer', signal: stop.signal }, async () => {
      seen += 1;
      stop.abort();
    });
    expect(seen).toBe(1);
    await client.close();
  });

  it('publishes nothing, and deletes nothing', async () => {
    const bus = await connectNatsBus({ url: server.url, ...login('viewer') });
    for (const event of [events.mask(maskInput()), task, outcome!])
      await expect(bus.publish(event)).rejects.toMatchObject(refused);
    const manager = await jetstreamManager(bus.connection, { checkAPI: false, timeout: 500 } as object);
    await expect(manager.streams.purge('stroma_v1_masks')).rejects.toThrow();
    await expect(manager.streams.deleteMessage('stroma_v1_masks', 1)).rejects.toThrow();
    await bus.close();
  });
});
