import { jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import type { NatsOptions } from '#src/event/nats-options.js';
import { DEFAULT_LIMITS, type StreamLimits } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { startNatsServer, type TestNatsOptions, type TestNatsServer } from '../../support/nats-server.js';
import { eventually } from '../../support/processes.js';
import { itIsABus } from '../bus-contract.js';
import { aggregate, createSampleEvents, maskInput } from '../samples.js';

const PREFIX = 'stroma.v1';
const events = createSampleEvents();
const mask = (col: number, run = 'a1b2c3d4e5f6'): BusEvent => events.mask({ ...maskInput({ col }), run });
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openServer(options: TestNatsOptions = {}, limits: Partial<StreamLimits> = {}): Promise<TestNatsServer> {
  const server = await startNatsServer({ jetstream: true, ...options });
  closing.push(() => server.stop());
  const nc = await connect({ servers: server.url });
  for (const { error } of await setupStreams(await openManager(nc), PREFIX, { ...DEFAULT_LIMITS, ...limits })) {
    if (error) throw error;
  }
  await nc.close();
  return server;
}

async function openBus(server: TestNatsServer, options: Partial<NatsOptions> = {}) {
  const bus = await connectNatsBus({ url: server.url, publish: 'jetstream', ...options });
  closing.push(() => bus.close());
  return bus;
}

/** What stands in the streams, by a connection of its own. */
async function stored(server: TestNatsServer, stream = 'masks') {
  const nc = await connect({ servers: server.url });
  try {
    return (await (await jetstreamManager(nc)).streams.info(`stroma_v1_${stream}`)).state;
  } finally {
    await nc.close();
  }
}

describe('a bus over JetStream', () => {
  itIsABus(async () => {
    const server = await openServer();
    const bus = await connectNatsBus({ url: server.url, publish: 'jetstream' });
    return { bus, settle: () => bus.flush() };
  });

  it('says that events are kept, and core publish that they are not', async () => {
    const server = await openServer();
    expect((await openBus(server)).description).toMatch(/\(server [\d.]+, JetStream\)$/);
    expect((await openBus(server, { publish: 'auto' })).kept).toBeDefined();
    const core = await openBus(server, { publish: 'core' });
    expect([core.kept, core.description]).toEqual([undefined, expect.not.stringContaining('JetStream')]);
    const bare = await startNatsServer();
    closing.push(() => bare.stop());
    const auto = await openBus(bare, { publish: 'auto' });
    expect(auto.description).toMatch(/core publish: no JetStream\)$/);
    await expect(connectNatsBus({ url: bare.url, publish: 'jetstream' })).rejects.toMatchObject({
      code: 'EVENTS_STREAM',
      fix: expect.stringContaining('events setup'),
    });
  });

  it('keeps one message of a mask, within the duplicate window and beyond it', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    await Promise.all([mask(1), mask(2), mask(1)].map(event => bus.publish(event)));
    expect(await stored(server)).toMatchObject({ messages: 2, last_seq: 2 });
    const nc = await connect({ servers: server.url });
    await (await jetstreamManager(nc)).streams.update('stroma_v1_masks', { duplicate_window: 100e6 });
    const sameId = headers();
    sameId.set('Nats-Msg-Id', mask(1).id);
    // Once the server has forgotten the id, it is the subject that tells.
    await eventually(async () => {
      const answer = await nc.request(mask(1).subject, 'x', { headers: sameId, timeout: 10_000 });
      return answer.string().includes('maximum messages per subject exceeded');
    });
    await bus.publish(mask(1));
    expect(await stored(server)).toMatchObject({ messages: 2 });
    await nc.close();
  });

  it('puts the mask of another run in the place of the one before', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    await bus.publish(mask(1));
    await bus.publish(mask(2));
    await bus.publish(mask(1, 'ffffffffffff'));
    expect(await stored(server)).toMatchObject({ messages: 2, last_seq: 3 });
    expect(await bus.kept!.lastId(mask(1).subject)).toBe(mask(1, 'ffffffffffff').id);
    expect(await bus.kept!.ids('stroma.v1.*.*.mask.*.*.*')).toEqual(new Set([mask(1, 'ffffffffffff').id, mask(2).id]));
  });

  it('stores what was there before and is not any more, although the server takes it for a repeat', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    for (const run of ['a', 'b', 'a']) await bus.publish(mask(1, run));
    expect(await bus.kept!.lastId(mask(1).subject)).toBe(mask(1, 'a').id);
    const sums = ['a', 'b', 'a'].map(run => events.aggregate({ ...aggregate, revision: 2 }, run));
    for (const event of sums) await bus.publish(event);
    expect(await bus.kept!.lastId(sums[0]!.subject)).toBe(sums[2]!.id);
    expect((await stored(server)).messages).toBe(1);
  });

  it('reads the last aggregate without a scan, and never lets an older one stand behind it', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    const revisions = Array.from({ length: 300 }, (_, revision) => events.aggregate({ ...aggregate, revision }, 'r'));
    await Promise.all(revisions.map(event => bus.publish(event)));
    expect(await bus.kept!.lastId(revisions[0]!.subject)).toBe(revisions.at(-1)!.id);
    expect(await stored(server, 'latest')).toMatchObject({ messages: 1, last_seq: 300 });
    expect(await bus.kept!.lastId('stroma.v1.a.b.aggregate.nothing')).toBeUndefined();
  });

  it('refuses what is larger than the server takes before it is sent', async () => {
    const server = await openServer({ config: 'max_payload: 4096' });
    const bus = await openBus(server);
    const large = { ...mask(1), data: new Uint8Array(4096) };
    await expect(bus.publish(large)).rejects.toMatchObject({
      code: 'BUS_PUBLISH',
      message: expect.stringContaining("the server's max_payload is 4096"),
    });
    await bus.publish(mask(2));
    expect(bus.connected).toBe(true);
  });

  it('says in one line that the stream is full, and takes more when it is not', async () => {
    const server = await openServer({}, { bytes: 4000 });
    const bus = await openBus(server);
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, col) => bus.publish(mask(col))));
    const refused = results.filter(result => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(5);
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ code: 'EVENTS_FULL', message: expect.stringContaining('maximum bytes exceeded') });
    }
    expect((await stored(server)).messages).toBe(20 - refused.length);
    const nc = await connect({ servers: server.url });
    await setupStreams(await openManager(nc), PREFIX, DEFAULT_LIMITS);
    await nc.close();
    await Promise.all(Array.from({ length: 20 }, (_, col) => bus.publish(mask(col))));
    expect((await stored(server)).messages).toBe(20);
  });

  it('says how full its streams are, and what they may hold', async () => {
    const server = await openServer({}, { bytes: 1_000_000 });
    const bus = await openBus(server);
    for (const col of [1, 2, 3]) await bus.publish(mask(col));
    const fill = new Map((await bus.kept!.fill()).map(({ kind, ...stream }) => [kind, stream]));
    expect([...fill.keys()].toSorted()).toEqual(['latest', 'masks', 'slides']);
    expect(fill.get('masks')).toMatchObject({ messages: 3, limitBytes: 1_000_000 });
    expect(fill.get('masks')!.bytes).toBe((await stored(server)).bytes);
    expect(fill.get('slides')).toMatchObject({ messages: 0, limitBytes: undefined });
    await server.kill();
    await expect(bus.kept!.fill()).rejects.toThrow();
  });

  it('rejects what it has no right to publish, and only that', async () => {
    const rights = `{ publish: { allow: ["$JS.API.>", "stroma.v1.Sint-Jan.>"] }, subscribe: { allow: ["_INBOX.>"] } }`;
    const config = `authorization { users: [
      { user: admin, password: a }, { user: lab, password: p, permissions: ${rights} } ] }`;
    const server = await startNatsServer({ jetstream: true, config });
    closing.push(() => server.stop());
    const admin = await connect({ servers: server.url, user: 'admin', pass: 'a' });
    await setupStreams(await openManager(admin), PREFIX, DEFAULT_LIMITS);
    await admin.close();
    const bus = await openBus(server, { user: 'lab', pass: 'p' });
    const other = { ...mask(1), subject: 'stroma.v1.elsewhere.s.mask.S1.1.1' };
    const [allowed, refused] = await Promise.allSettled([bus.publish(mask(1)), bus.publish(other)]);
    expect(allowed.status).toBe('fulfilled');
    expect(refused).toMatchObject({ reason: { code: 'BUS_PUBLISH', message: expect.stringMatching(/permissions/i) } });
  });
});

describe('a server that is killed', () => {
  it('again and again in full flow loses nothing and keeps nothing twice', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    const total = 2000;
    let confirmed = 0;
    const publishing = (async () => {
      for (let first = 0; first < total; first += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, index) => bus.publish(mask(first + index))));
        confirmed += 100;
      }
    })();
    for (const kills of [1, 2, 3]) {
      await eventually(() => confirmed >= kills * 300);
      await server.kill();
      await server.restart();
    }
    await publishing;
    expect(await stored(server)).toMatchObject({ messages: total, num_subjects: total });
  });

  it('with the loss of its store gets its streams back as they were, and what waits is published', async () => {
    const server = await openServer({}, { days: 5, bytes: 1 << 24 });
    const bus = await openBus(server);
    let restored = 0;
    bus.kept!.onRestored(() => {
      restored += 1;
    });
    await bus.publish(mask(0));
    const [mark] = bus.kept!.marks();
    expect(await bus.kept!.standing(mark!)).toBe('there');
    await server.kill();
    await server.loseStore();
    const waiting = Promise.all([1, 2, 3].map(col => bus.publish(mask(col))));
    await server.restart();
    await waiting;
    expect(await stored(server)).toMatchObject({ messages: 3 });
    const nc = await connect({ servers: server.url });
    const { config } = await (await jetstreamManager(nc)).streams.info('stroma_v1_masks');
    expect(config).toMatchObject({ max_age: 5 * 86_400e9, max_bytes: 1 << 24, discard_new_per_subject: true });
    await nc.close();
    await eventually(() => restored > 0);
    expect(await bus.kept!.standing(mark!)).toBe('lost');
  });

  it('is not waited for by one that closes', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    await server.kill();
    await eventually(() => !bus.connected);
    const waiting = expect(bus.publish(mask(1))).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
    await bus.close();
    await waiting;
  });
});

describe('a stream that is taken away while it is published to', () => {
  it('is made again', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    await bus.publish(mask(1));
    const nc = await connect({ servers: server.url });
    await (await jetstreamManager(nc)).streams.delete('stroma_v1_masks');
    await bus.publish(mask(2));
    expect(await stored(server)).toMatchObject({ messages: 1 });
    await nc.close();
  });

  it('for another of the same name ends in one line', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    const nc = await connect({ servers: server.url });
    const manager = await jetstreamManager(nc);
    await manager.streams.delete('stroma_v1_masks');
    await manager.streams.add({ name: 'stroma_v1_masks', subjects: ['other.>'] });
    await expect(bus.publish(mask(1))).rejects.toMatchObject({
      code: 'EVENTS_STREAM',
      message: expect.stringContaining('was not made by stromaflow events setup'),
    });
    await nc.close();
  });

  it('tells what its limits dropped from what was lost', async () => {
    const server = await openServer();
    const bus = await openBus(server);
    await bus.publish(mask(1));
    const [mark] = bus.kept!.marks();
    const nc = await connect({ servers: server.url });
    const manager = await jetstreamManager(nc);
    await manager.streams.purge('stroma_v1_masks');
    expect(await bus.kept!.standing(mark!)).toBe('dropped');
    await manager.streams.delete('stroma_v1_masks');
    expect(await bus.kept!.standing(mark!)).toBe('lost');
    await nc.close();
  });
});
