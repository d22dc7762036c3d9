import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import { connectNatsBus, type NatsBus } from '#src/event/nats-bus.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { collect, itIsABus, take } from './bus-contract.js';
import { aggregate, createSampleEvents, maskInput } from './samples.js';

const events = createSampleEvents();
const mask = (col: number): BusEvent => events.mask(maskInput({ col }));
const forever = new AbortController().signal;

describe('a NATS bus', () => {
  let server: TestNatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server.stop());

  itIsABus(async () => {
    const bus = await connectNatsBus({ url: server.url });
    return { bus, settle: () => bus.flush() };
  });

  it('says where it is connected and to which server', async () => {
    const bus = await connectNatsBus({ url: `127.0.0.1:${server.port}` });
    expect(bus.connected).toBe(true);
    expect(bus.description).toMatch(
      new RegExp(`^nats://127\\.0\\.0\\.1:${server.port} \\(server \\d+\\.\\d+\\.\\d+\\)$`),
    );
    await bus.close();
  });

  it('writes binary-mode CloudEvents that any NATS client reads', async () => {
    const bus = await connectNatsBus({ url: server.url });
    const plain = await connect({ servers: server.url });
    const subscription = plain.subscribe('stroma.v1.*.*.mask.*.*.*', { max: 1 });
    await plain.flush();
    const event = mask(3);
    await bus.publish(event);
    for await (const message of subscription) {
      expect(message.subject).toBe(event.subject);
      expect(message.headers?.get('Nats-Msg-Id')).toBe(event.id);
      expect(message.headers?.get('ce-specversion')).toBe('1.0');
      expect(message.headers?.get('ce-datacontenttype')).toBe('image/png');
      expect(message.headers?.get('ce-stromapixels')).toBe('1024');
      expect(new Uint8Array(message.data)).toEqual(event.data);
    }
    await plain.close();
    await bus.close();
  });

  it('passes over messages that are no CloudEvents', async () => {
    const bus = await connectNatsBus({ url: server.url });
    const plain = await connect({ servers: server.url });
    const received = bus.subscribe('stroma.v1.>', forever);
    await bus.flush();
    plain.publish('stroma.v1.lab.s.note', 'hello');
    await plain.flush();
    const event = mask(1);
    await bus.publish(event);
    expect(await take(received, 1)).toEqual([event]);
    await plain.close();
    await bus.close();
  });

  it('gives data that is its own, not a window on a network buffer', async () => {
    const bus = await connectNatsBus({ url: server.url });
    const received = bus.subscribe('stroma.v1.>', forever);
    const event = mask(1);
    await bus.publish(event);
    const [copy] = await take(received, 1);
    expect(copy?.data.buffer.byteLength).toBe(event.data.byteLength);
    await bus.close();
  });

  it('delivers what was published before close, then closes', async () => {
    const bus = await connectNatsBus({ url: server.url });
    const other = await connectNatsBus({ url: server.url });
    const received = other.subscribe('stroma.v1.>', forever);
    await other.flush();
    const published = Array.from({ length: 50 }, (_, col) => bus.publish(mask(col)));
    await bus.close();
    await Promise.all(published);
    expect(await take(received, 50)).toHaveLength(50);
    await other.close();
  });
});

describe('a stream that an operator has laid over the subjects', () => {
  it('keeps one message for an event that was published twice', async () => {
    const server = await startNatsServer({ jetstream: true });
    const plain = await connect({ servers: server.url });
    const manager = await jetstreamManager(plain);
    await manager.streams.add({ name: 'STROMA', subjects: ['stroma.v1.>'] });
    const bus = await connectNatsBus({ url: server.url });
    for (const event of [mask(1), mask(2), mask(1), events.aggregate(aggregate, 'r'), mask(2)])
      await bus.publish(event);
    expect((await manager.streams.info('STROMA')).state.messages).toBe(3);
    await bus.close();
    await plain.close();
    await server.stop();
  });
});

describe('limits and rights of the server', () => {
  it('accepts an event of exactly max_payload and refuses one byte more, naming both sizes', async () => {
    const server = await startNatsServer({ config: 'max_payload: 4096' });
    const bus = await connectNatsBus({ url: server.url });
    const filled = (bytes: number): BusEvent => ({ ...mask(1), data: new Uint8Array(bytes) });
    let bytes = 4096;
    let problem: Error | undefined;
    const attempt = async () => {
      problem = undefined;
      await bus.publish(filled(bytes)).catch((error: Error) => {
        problem = error;
      });
    };
    await attempt();
    expect(problem).toMatchObject({ code: 'BUS_PUBLISH' });
    const stated = Number(
      /: (\d+) bytes with headers, but the server's max_payload is 4096$/.exec(problem?.message ?? '')?.[1],
    );
    bytes -= stated - 4096;
    await attempt();
    expect(problem).toBeUndefined();
    bytes += 1;
    await attempt();
    expect(problem?.message).toContain('4097 bytes with headers');
    // The connection is still the first one: nothing oversized was ever sent.
    expect(bus.connected).toBe(true);
    await bus.publish(mask(2));
    await bus.close();
    await server.stop();
  });

  it('rejects what the server refuses, and only that', async () => {
    const config = `authorization { users: [ { user: lab, password: "p@ss/w", permissions: {
      publish: { allow: "stroma.v1.>" }, subscribe: { allow: "stroma.v1.>" } } } ] }`;
    const server = await startNatsServer({ config });
    const url = `nats://lab:${encodeURIComponent('p@ss/w')}@127.0.0.1:${server.port}`;
    const bus = await connectNatsBus({ url });
    expect(bus.description).not.toContain('p@ss');
    const allowed = bus.publish(mask(1));
    const refused = bus.publish(createSampleEvents('other.v1').mask(maskInput()));
    await expect(refused).rejects.toMatchObject({
      code: 'BUS_PUBLISH',
      message: expect.stringMatching(/permissions/i),
    });
    await allowed;
    await expect(collect(bus.subscribe('other.v1.>', forever))).rejects.toMatchObject({ code: 'BUS_SUBSCRIBE' });
    await bus.close();
    await server.stop();
  });

  it.each([
    ['no credentials', ''],
    ['a wrong password', 'lab:wrong@'],
  ])('says so when the server wants others than %s', async (_name, login) => {
    const server = await startNatsServer({ config: 'authorization { user: lab, password: secret }' });
    const connecting = connectNatsBus({ url: `nats://${login}127.0.0.1:${server.port}` });
    await expect(connecting).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: expect.stringMatching(/^NATS server nats:\/\/127\.0\.0\.1:\d+: .*authorization/),
      fix: expect.stringContaining('password'),
    });
    await server.stop();
  });

  it('sends a token, from the URL or apart', async () => {
    const server = await startNatsServer({ config: 'authorization { token: "s3cret" }' });
    for (const options of [{ url: `nats://s3cret@127.0.0.1:${server.port}` }, { url: server.url, token: 's3cret' }]) {
      const bus = await connectNatsBus(options);
      await bus.publish(mask(1));
      await bus.close();
    }
    await server.stop();
  });
});

describe('a server that goes away', () => {
  const open: { server: TestNatsServer; bus: NatsBus }[] = [];
  const start = async () => {
    const server = await startNatsServer();
    const bus = await connectNatsBus({ url: server.url });
    open.push({ server, bus });
    return { server, bus };
  };
  afterEach(async () => {
    for (const { server, bus } of open.splice(0)) {
      await bus.close();
      await server.stop();
    }
  });

  it('lets publishes wait and sends them when it is back, to subscribers that stayed', async () => {
    const { server, bus } = await start();
    const received = bus.subscribe('stroma.v1.>', forever);
    await bus.publish(mask(0));
    await server.kill();
    const sent = Array.from({ length: 200 }, (_, col) => bus.publish(mask(col + 1)));
    await until(() => !bus.connected);
    sent.push(bus.publish(mask(201)));
    await server.restart();
    await Promise.all(sent);
    expect(bus.connected).toBe(true);
    const ids = new Set((await take(received, 202)).map(event => event.id));
    expect(ids.size).toBe(202);
  });

  it('loses nothing that was confirmed or waits, killed again and again in full flow', async () => {
    const { server, bus } = await start();
    const seen = new Set<string>();
    const reading = (async () => {
      for await (const event of bus.subscribe('stroma.v1.>', forever)) seen.add(event.id);
    })();
    const total = 3000;
    let confirmed = 0;
    const publishing = (async () => {
      for (let first = 0; first < total; first += 100) {
        const some = Array.from({ length: 100 }, (_, index) => bus.publish(mask(first + index)));
        await Promise.all(some);
        confirmed += 100;
      }
    })();
    for (const kills of [1, 2, 3]) {
      await until(() => confirmed >= kills * 500);
      await server.kill();
      await server.restart();
    }
    await publishing;
    await bus.flush();
    // What the dying server had confirmed but not yet delivered is gone: core NATS stores nothing. Every publish that
    // waited for the next server is there.
    expect(confirmed).toBe(total);
    expect(seen.size).toBeGreaterThan(total - 3 * 100);
    await bus.close();
    await reading;
  });

  it('stops waiting when the caller gives up', async () => {
    const { server, bus } = await start();
    await server.kill();
    await until(() => !bus.connected);
    const patience = new AbortController();
    const reason = new Error('shutting down');
    const waiting = bus.publish(mask(1), patience.signal);
    patience.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('closes at once, and says what was not published', async () => {
    const { server, bus } = await start();
    await server.kill();
    await until(() => !bus.connected);
    const waiting = expect(bus.publish(mask(1))).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
    await bus.close();
    await waiting;
  });
});

describe('connecting', () => {
  it('fails in one line when nobody listens, without the password', async () => {
    const connecting = connectNatsBus({ url: 'nats://user:secret@127.0.0.1:1' });
    await expect(connecting).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: 'NATS server nats://127.0.0.1:1: connection refused',
    });
  });

  it('fails for a host that does not exist', async () => {
    await expect(connectNatsBus({ url: 'nats://no-such-host.invalid' })).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
    });
  });

  it('is given up when the signal aborts', async () => {
    const reason = new Error('enough');
    await expect(connectNatsBus({ url: 'nats://127.0.0.1:1', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const later = new AbortController();
    // A port of the documentation range: packets to it are lost.
    const connecting = connectNatsBus({ url: 'nats://192.0.2.1:4222', signal: later.signal });
    later.abort(reason);
    await expect(connecting).rejects.toBe(reason);
  });

  it('takes several servers and uses the one that answers', async () => {
    const server = await startNatsServer();
    const bus = await connectNatsBus({ url: `nats://127.0.0.1:1, nats://127.0.0.1:${server.port}` });
    await bus.publish(events.aggregate(aggregate, 'r'));
    await bus.close();
    await server.stop();
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}
