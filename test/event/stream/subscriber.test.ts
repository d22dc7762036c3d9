import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect as plainConnect } from '@nats-io/transport-node';
import { firstValueFrom, take, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { StromaflowError } from '#src/errors.js';
import type { BusEvent } from '#src/event/bus.js';
import { connect, createClient, type StromaClient } from '#src/event/client.js';
import { createEvents } from '#src/event/contract.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import type { Notice } from '#src/event/stream/read-options.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { startNatsServer, type TestNatsServer } from '../../support/nats-server.js';
import { eventually } from '../../support/processes.js';
import { aggregate, createSampleEvents, maskInput, slidePayloads } from '../samples.js';

const events = createSampleEvents();
const mask = (col: number, slide = 'S1'): BusEvent => events.mask(maskInput({ col, slide, x: col * 128 }));
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(): Promise<{
  server: TestNatsServer;
  bus: Awaited<ReturnType<typeof connectNatsBus>>;
  client: StromaClient;
}> {
  const server = await startNatsServer({ jetstream: true });
  closing.push(() => server.stop());
  await setup(server);
  const bus = await connectNatsBus({ url: server.url, publish: 'jetstream' });
  const client = await connect({ url: server.url });
  closing.push(
    () => bus.close(),
    () => client.close(),
  );
  return { server, bus, client };
}

async function setup(server: TestNatsServer): Promise<void> {
  const nc = await plainConnect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS);
  await nc.close();
}

async function first<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) if (taken.push(item) === count) break;
  return taken;
}

const cols = (masks: readonly { readonly col: number }[]): number[] => masks.map(({ col }) => col);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('a subscriber to what is kept', () => {
  it('gets everything from the start, then what comes, in order', async () => {
    const { bus, client } = await open();
    await Promise.all(range(0, 600).map(col => bus.publish(mask(col))));
    const masks = client.masks({ slide: 'S1', from: 'all' });
    const reading = first(masks, 610);
    for (const col of range(600, 610)) await bus.publish(mask(col));
    expect(cols(await reading)).toEqual(range(0, 610));
  });

  it("gets with 'new' what is published after it asked, and nothing that was there", async () => {
    const { bus, client } = await open();
    await bus.publish(mask(0));
    const masks = client.masks({ from: 'new' });
    await client.ready();
    for (const col of [1, 2]) await bus.publish(mask(col));
    expect(cols(await first(masks, 2))).toEqual([1, 2]);
  });

  it('gets with a time what was stored at it or later', async () => {
    const { server, bus, client } = await open();
    await bus.publish(mask(0));
    await bus.publish(mask(1));
    const nc = await plainConnect({ servers: server.url });
    const message = await (await jetstreamManager(nc)).streams.getMessage('stroma_v1_masks', { seq: 2 });
    await nc.close();
    // Milliseconds are what a Date has; the server counts finer.
    const from = new Date(Math.ceil(message!.time.getTime()) + 1);
    await eventually(() => Date.now() > from.getTime() + 1);
    await bus.publish(mask(2));
    expect(cols(await first(client.masks({ from }), 1))).toEqual([2]);
  });

  it('is given its slide, site and region alone', async () => {
    const { bus, client } = await open();
    const other = createEvents({ site: 'Gent', scanner: 'S360' });
    for (const col of range(0, 5)) await bus.publish(mask(col));
    await bus.publish(mask(7, 'S2'));
    await bus.publish(other.mask(maskInput({ col: 9, slide: 'S1' })));
    const region = { x: 128, y: 0, width: 129, height: 10_000 };
    expect(cols(await first(client.masks({ slide: 'S1', site: 'Sint-Jan', from: 'all', region }), 2))).toEqual([1, 2]);
    expect(cols(await first(client.masks({ site: 'Gent', from: 'all' }), 1))).toEqual([9]);
    expect(cols(await first(client.masks({ slide: 'S2', from: 'all' }), 1))).toEqual([7]);
  });

  it('gets slides and aggregates too', async () => {
    const { bus, client } = await open();
    const opened = events.slide('opened', slidePayloads.opened);
    await bus.publish(opened);
    await bus.publish(events.slide('completed', slidePayloads.completed));
    await bus.publish(events.aggregate(aggregate, 'r'));
    const slides = await first(client.slides({ from: 'all' }), 2);
    expect(slides.map(({ state }) => state)).toEqual(['opened', 'completed']);
    expect((await first(client.slides({ slide: slidePayloads.opened.slide, from: 'all' }), 1))[0]?.id).toBe(opened.id);
    expect((await client.lastAggregate(aggregate.slide))?.aggregate).toEqual(aggregate);
    expect(await client.lastAggregate('nobody')).toBeUndefined();
  });

  it('may be an Observable, which ends its subscription when it is left', async () => {
    const { bus, client } = await open();
    for (const col of range(0, 5)) await bus.publish(mask(col));
    const masks$ = client.masks({ from: 'all' }).observable();
    expect(cols(await firstValueFrom(masks$.pipe(take(3), toArray())))).toEqual([0, 1, 2]);
    const waiting = client.masks({ from: 'new' }).observable().subscribe();
    await client.ready();
    waiting.unsubscribe();
  });

  it('ends with its signal, and when the client is closed', async () => {
    const { client } = await open();
    const stop = new AbortController();
    const [stopped, closed] = [{ from: 'all', signal: stop.signal } as const, { from: 'all' } as const].map(options =>
      first(client.masks(options), 1),
    );
    await client.ready();
    stop.abort();
    expect(await stopped).toEqual([]);
    await client.close();
    expect(await closed).toEqual([]);
  });

  it('is told in one line where nothing is kept', async () => {
    const bare = await startNatsServer();
    closing.push(() => bare.stop());
    const client = await connect({ url: bare.url });
    closing.push(() => client.close());
    await expect(first(client.masks({ from: 'all' }), 1)).rejects.toMatchObject({ code: 'EVENTS_STREAM' });
    expect(() => createClient(createMemoryBus()).masks({ from: 'all' })).toThrow(
      expect.objectContaining({ code: 'EVENTS_STREAM' }),
    );
  });
});

describe('a server that goes away under a subscriber', () => {
  it('with its store: everything comes once, and the outage is told', async () => {
    const { server, bus, client } = await open();
    const notices: Notice[] = [];
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { col } of client.masks({ from: 'all', onNotice: notice => notices.push(notice) })) {
        if (seen.push(col) === 300) break;
      }
    })();
    await client.ready();
    for (let from = 0; from < 300; from += 100) {
      await Promise.all(range(from, from + 100).map(col => bus.publish(mask(col))));
      if (from < 200) {
        await server.kill();
        await server.restart();
        // The reader has a connection of its own; an outage within its outage would be one.
        await eventually(() => notices.filter(({ kind }) => kind === 'back').length === from / 100 + 1);
      }
    }
    await reading;
    expect(seen).toEqual(range(0, 300));
    expect(notices.map(({ kind }) => kind)).toEqual(['away', 'back', 'away', 'back']);
  });

  it("before the first event of one that asked for 'new': what was there before does not come", async () => {
    const { server, bus, client } = await open();
    await bus.publish(mask(0));
    const masks = client.masks({ from: 'new', onNotice: () => undefined });
    await client.ready();
    const reading = first(masks, 1);
    await server.kill();
    await server.restart();
    await eventually(() => bus.connected);
    await bus.publish(mask(1));
    expect(cols(await reading)).toEqual([1]);
  });

  it('without its store: a gap ends the loop in one line', async () => {
    const { server, bus, client } = await open();
    await bus.publish(mask(0));
    const reading = first(client.masks({ from: 'all' }), 2);
    const failed = expect(reading).rejects.toMatchObject({
      code: 'EVENTS_GAP',
      message: expect.stringMatching(/the server lost the (end of the )?stream/),
    });
    await client.ready();
    await server.kill();
    await server.loseStore();
    await server.restart();
    await failed;
  });

  it('without its store, to one that wants to be told: goes on from the start of what is there', async () => {
    const { server, bus, client } = await open();
    await Promise.all(range(0, 50).map(col => bus.publish(mask(col))));
    const notices: Notice[] = [];
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { col } of client.masks({ from: 'all', onNotice: notice => notices.push(notice) })) {
        if (seen.push(col) === 52) break;
      }
    })();
    await eventually(() => seen.length === 50);
    await server.kill();
    await server.loseStore();
    await server.restart();
    await bus.publish(mask(3));
    await bus.publish(mask(50));
    await reading;
    expect(seen).toEqual([...range(0, 50), 3, 50]);
    expect(notices.map(({ kind }) => kind)).toEqual(['away', 'back', 'gap']);
  });
});

describe('work that is done once', () => {
  const collect = (
    client: StromaClient,
    handle: (col: number) => Promise<void> | void,
    options: { signal: AbortSignal } & Partial<Parameters<StromaClient['handleMasks']>[0]>,
  ) => client.handleMasks({ durable: 'tils', slide: 'S1', ...options }, async ({ col }) => handle(col));

  it('goes on where the last start ended', async () => {
    const { server, bus, client } = await open();
    await Promise.all(range(0, 20).map(col => bus.publish(mask(col))));
    const seen: number[] = [];
    const stop = new AbortController();
    await collect(
      client,
      col => {
        seen.push(col);
        if (seen.length === 8) stop.abort();
      },
      { signal: stop.signal },
    );
    expect(seen).toEqual(range(0, 8));
    const again = await connect({ url: server.url });
    closing.push(() => again.close());
    const rest = new AbortController();
    await collect(
      again,
      col => {
        seen.push(col);
        if (seen.length === 20) rest.abort();
      },
      { signal: rest.signal },
    );
    expect(seen.toSorted((a, b) => a - b)).toEqual(range(0, 20));
  });

  it('is lost to nobody when the server is killed; what it had not written down is not done again by a process that did it', async () => {
    const { server, bus, client } = await open();
    const seen: number[] = [];
    const stop = new AbortController();
    const working = collect(
      client,
      col => {
        seen.push(col);
        if (new Set(seen).size === 40) stop.abort();
      },
      { signal: stop.signal },
    );
    await Promise.all(range(0, 20).map(col => bus.publish(mask(col))));
    await eventually(() => seen.length >= 10);
    await server.kill();
    await server.restart();
    await Promise.all(range(20, 40).map(col => bus.publish(mask(col))));
    await working;
    expect(seen.toSorted((a, b) => a - b)).toEqual(range(0, 40));
  });

  it('is shared by processes of one name', async () => {
    const { server, bus, client } = await open();
    const other = await connect({ url: server.url });
    closing.push(() => other.close());
    const stop = new AbortController();
    const seen: [string, number][] = [];
    const handle = (name: string) => (col: number) => {
      seen.push([name, col]);
      if (seen.length === 200) stop.abort();
    };
    const working = Promise.all([
      collect(client, handle('a'), { signal: stop.signal, atOnce: 2 }),
      collect(other, handle('b'), { signal: stop.signal, atOnce: 2 }),
    ]);
    await Promise.all(range(0, 200).map(col => bus.publish(mask(col))));
    await working;
    expect(seen.map(([, col]) => col).toSorted((a, b) => a - b)).toEqual(range(0, 200));
  });

  it('is tried again, then given up and told, and the others go on', async () => {
    const { bus, client } = await open();
    for (const col of [0, 1, 2]) await bus.publish(mask(col));
    const stop = new AbortController();
    const done: number[] = [];
    let tries = 0;
    const givenUp: unknown[] = [];
    await collect(
      client,
      col => {
        if (col === 1) {
          tries += 1;
          throw new Error('no');
        }
        done.push(col);
      },
      {
        signal: stop.signal,
        tries: 2,
        onGivenUp: (error, event) => {
          givenUp.push([(error as Error).message, event?.id]);
          stop.abort();
        },
      },
    );
    expect([done, tries, givenUp]).toEqual([[0, 2], 2, [['no', mask(1).id]]]);
  });

  /** Somebody takes the event under the same name so many times, and ends before it is done. */
  async function takeAndEnd(server: TestNatsServer, durable: string, times: number): Promise<void> {
    const nc = await plainConnect({ servers: server.url });
    const stream = await (await jetstreamManager(nc)).streams.find(mask(0).subject);
    const consumer = await jetstream(nc).consumers.get(stream, durable);
    for (let taken = 0; taken < times; taken++) {
      const message = await consumer.next({ expires: 60_000 });
      expect(message!.info.deliveryCount).toBe(taken + 1);
      message!.nak();
      await nc.flush();
    }
    await nc.close();
  }

  it('is given up and told when whoever took it ended each time, twice as often as it is tried', async () => {
    const { server, bus, client } = await open();
    const stop = new AbortController();
    const givenUp: unknown[] = [];
    const handled: number[] = [];
    const work = () =>
      collect(client, col => void (handled.push(col) === 2 && stop.abort()), {
        signal: stop.signal,
        tries: 2,
        onGivenUp: (error, event) => void givenUp.push([(error as StromaflowError).code, event?.id]),
      });
    await bus.publish(mask(0));
    const place = new AbortController();
    await collect(client, () => place.abort(), { signal: place.signal });
    await bus.publish(mask(1));
    await takeAndEnd(server, 'tils', 4);
    for (const col of [2, 3]) await bus.publish(mask(col));
    await work();
    expect([givenUp, handled]).toEqual([[['EVENTS_UNHANDLED', mask(1).id]], [2, 3]]);
  });

  it('is not forgotten by the server, also where an earlier version set a limit', async () => {
    const { server, bus, client } = await open();
    await bus.publish(mask(0));
    const place = new AbortController();
    await collect(client, () => place.abort(), { signal: place.signal });
    const nc = await plainConnect({ servers: server.url });
    const manager = await jetstreamManager(nc);
    const stream = await manager.streams.find(mask(0).subject);
    await manager.consumers.update(stream, 'tils', { max_deliver: 6 });
    const stop = new AbortController();
    const began = collect(client, () => undefined, { signal: stop.signal });
    await eventually(async () => (await manager.consumers.info(stream, 'tils')).config.max_deliver === -1);
    stop.abort();
    await began;
    await nc.close();
  });

  it('under the name of other work is refused', async () => {
    const { bus, client } = await open();
    await bus.publish(mask(0));
    const stop = new AbortController();
    await collect(client, () => stop.abort(), { signal: stop.signal });
    const other = client.handleMasks({ durable: 'tils', slide: 'S2' }, async () => undefined);
    await expect(other).rejects.toMatchObject({
      code: 'EVENTS_STREAM',
      message: expect.stringContaining('durable tils'),
    });
  });
});
