import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, createClient } from '#src/event/client.js';
import { createEvents } from '#src/event/contract.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { collect } from './bus-contract.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from './samples.js';

const events = createSampleEvents();

async function first<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) if (taken.push(item) === count) break;
  return taken;
}

describe('the subscriber client over NATS', () => {
  let server: TestNatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server.stop());

  it('gives typed events of each kind from one connection', async () => {
    const client = await connect({ url: server.url });
    const bus = await connectNatsBus({ url: server.url });
    const streams = [client.masks(), client.aggregates(), client.slides(), client.deadLetters()] as const;
    await client.ready();
    await bus.publish(events.slide('opened', slidePayloads.opened));
    await bus.publish(events.mask(maskInput()));
    await bus.publish(events.aggregate(aggregate, 'r'));
    await bus.publish(events.dlq(deadLetter));
    const [[mask], [sum], [slide], [letter]] = await Promise.all([
      first(streams[0], 1),
      first(streams[1], 1),
      first(streams[2], 1),
      first(streams[3], 1),
    ]);
    expect(mask?.bits.length).toBe(64 * 8);
    expect(sum?.aggregate).toEqual(aggregate);
    expect(slide?.state === 'opened' && slide.payload.grid.cols).toBe(5);
    expect(letter?.letter.error.code).toBe('TILE_CORRUPT');
    await client.close();
    await bus.close();
  });

  it('fails in one line without a server', async () => {
    await expect(connect({ url: 'nats://127.0.0.1:1' })).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
  });
});

describe('what a subscriber asks for', () => {
  it('is what it gets: one slide, one site, one scanner, another prefix', async () => {
    const bus = createMemoryBus();
    const client = createClient(bus);
    const other = createEvents({ site: 'Gent', scanner: 'S360', prefix: 'trial.v1' });
    const streams = [
      client.masks({ slide: 'A' }),
      client.masks({ site: 'Sint-Jan' }),
      client.masks({ scanner: 'GT 450 №2' }),
      client.masks({ prefix: 'trial.v1' }),
      client.masks({ slide: 'C' }),
    ];
    await bus.publish(events.mask(maskInput({ slide: 'A' })));
    await bus.publish(events.mask(maskInput({ slide: 'B' })));
    await bus.publish(other.mask(maskInput({ slide: 'A' })));
    await client.close();
    const slides = await Promise.all(streams.map(async stream => (await collect(stream)).map(mask => mask.slide)));
    expect(slides).toEqual([['A'], ['A', 'B'], ['A', 'B'], ['A'], []]);
  });

  it('ends with the signal, and when the loop is left', async () => {
    const bus = createMemoryBus();
    const client = createClient(bus);
    const stop = new AbortController();
    const masks = collect(client.masks({ signal: stop.signal }));
    const left = client.masks();
    await bus.publish(events.mask(maskInput()));
    expect(await first(left, 1)).toHaveLength(1);
    await new Promise(resolve => setImmediate(resolve));
    stop.abort();
    expect(await masks).toHaveLength(1);
    await client.close();
  });
});

describe('an event that breaks the contract', () => {
  const broken = { ...events.aggregate(aggregate, 'r'), data: new TextEncoder().encode('{}') };

  it('stops the loop with EVENT_INVALID', async () => {
    const bus = createMemoryBus();
    const aggregates = createClient(bus).aggregates();
    await bus.publish(broken);
    await expect(collect(aggregates)).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  });

  it('is told and passed over when the caller wishes', async () => {
    const bus = createMemoryBus();
    const problems: string[] = [];
    const aggregates = createClient(bus).aggregates({ onInvalid: error => problems.push(error.message) });
    await bus.publish(broken);
    await bus.publish(events.aggregate(aggregate, 'r'));
    expect(await first(aggregates, 1)).toHaveLength(1);
    expect(problems).toEqual([expect.stringContaining('slide: is missing')]);
  });
});
