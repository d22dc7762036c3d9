import { describe, expect, it } from 'vitest';
import type { BusEvent, EventBus } from '#src/event/bus.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { type BusObserver, observeBus, type Publication } from '#src/status/observe-bus.js';
import { itIsABus, take } from '../event/bus-contract.js';
import { aggregate, createSampleEvents } from '../event/samples.js';

const event = createSampleEvents().aggregate(aggregate, 'r');

function observer() {
  const said: string[] = [];
  const publications: Publication[] = [];
  const one: BusObserver = {
    publishing: ({ id }) => void said.push(`publishing ${id}`),
    published: publication => {
      publications.push(publication);
      said.push(`published ${publication.event.id}`);
    },
  };
  return { one, said, publications };
}

/** A bus whose publish ends as told. */
const busOf = (publish: (event: BusEvent, signal?: AbortSignal) => Promise<void>): EventBus => ({
  ...createMemoryBus(),
  publish,
});

describe('an observed bus', () => {
  itIsABus(async () => ({ bus: observeBus(createMemoryBus(), [observer().one]), settle: async () => {} }));

  it('tells every observer before and after, with content and time', async () => {
    const [a, b] = [observer(), observer()];
    await observeBus(createMemoryBus(), [a.one, b.one]).publish(event);
    for (const { said, publications } of [a, b]) {
      expect(said).toEqual([`publishing ${event.id}`, `published ${event.id}`]);
      expect(publications[0]).toMatchObject({ event, content: { kind: 'aggregate', aggregate } });
      expect(publications[0]).toHaveProperty('error', undefined);
      expect(publications[0]!.seconds).toBeGreaterThanOrEqual(0);
    }
  });

  it('tells of nothing published before the bus has it', async () => {
    let confirm = (): void => undefined;
    const { one, said } = observer();
    const publishing = observeBus(
      busOf(() => new Promise(resolve => (confirm = resolve))),
      [one],
    ).publish(event);
    expect(said).toEqual([`publishing ${event.id}`]);
    confirm();
    await publishing;
    expect(said).toHaveLength(2);
  });

  it.each([new Error('away'), 'a text', null, undefined])(
    'tells of a failure, %j too, and hands it on',
    async reason => {
      const { one, publications } = observer();
      const publishing = observeBus(
        busOf(() => Promise.reject(reason)),
        [one],
      ).publish(event);
      await expect(publishing.catch((error: unknown) => ({ rejected: error }))).resolves.toEqual({ rejected: reason });
      expect(publications[0]!.error).toBeDefined();
      expect(publications[0]!.error).not.toBeNull();
    },
  );

  it('takes events that are none of the contract’s, or break it, without content', async () => {
    const { one, publications } = observer();
    const bus = observeBus(createMemoryBus(), [one]);
    await bus.publish({ ...event, type: 'lab.note' });
    await bus.publish({ ...event, data: new TextEncoder().encode('{}') });
    expect(publications.map(({ content, error }) => [content, error])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  it('says what the bus below says, at every moment, and hands the signal on', async () => {
    const raw = createMemoryBus();
    const bus = observeBus(raw, []);
    expect([bus.description, bus.connected]).toEqual(['in process', true]);
    const received = bus.subscribe('>', new AbortController().signal);
    await raw.publish(event);
    expect(await take(received, 1)).toEqual([event]);
    const reason = new Error('stop');
    await expect(bus.publish(event, AbortSignal.abort(reason))).rejects.toBe(reason);
    await bus.close();
    expect([raw.connected, bus.connected]).toEqual([false, false]);
  });
});
