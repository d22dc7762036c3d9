import { expect, it } from 'vitest';
import type { BusEvent, EventBus } from '#src/event/bus.js';
import { aggregate, createSampleEvents, maskInput, slidePayloads } from './samples.js';

/** What every bus must do. `settle` waits until the bus knows the subscriptions and has delivered what was published. */
export function itIsABus(open: () => Promise<{ bus: EventBus; settle: () => Promise<void> }>): void {
  const events = createSampleEvents();

  it('delivers what matches, in order, with nothing lost or changed', async () => {
    const { bus, settle } = await open();
    const leave = new AbortController();
    const received = bus.subscribe('stroma.v1.*.*.mask.>', leave.signal);
    await settle();
    const sent = Array.from({ length: 300 }, (_, col) => events.mask(maskInput({ col })));
    await bus.publish(events.aggregate(aggregate, 'r'));
    await Promise.all(sent.map(event => bus.publish(event)));
    expect(await take(received, sent.length)).toEqual(sent);
    await bus.close();
  });

  it('delivers to every subscriber, whatever its pattern', async () => {
    const { bus, settle } = await open();
    const signal = new AbortController().signal;
    const all = bus.subscribe('stroma.v1.>', signal);
    const slides = bus.subscribe('stroma.v1.*.*.slide.*.S22-0412_A1', signal);
    const other = bus.subscribe('stroma.v1.*.*.slide.*.S1', signal);
    await settle();
    const opened = events.slide('opened', slidePayloads.opened);
    await bus.publish(opened);
    await bus.publish(events.aggregate(aggregate, 'r'));
    expect(await take(all, 2)).toHaveLength(2);
    expect(await take(slides, 1)).toEqual([opened]);
    await bus.close();
    expect(await collect(other)).toEqual([]);
  });

  it('keeps events for a subscriber from the moment it subscribes', async () => {
    const { bus, settle } = await open();
    const received = bus.subscribe('>', new AbortController().signal);
    await settle();
    await bus.publish(events.aggregate(aggregate, 'r'));
    await settle();
    expect(await take(received, 1)).toHaveLength(1);
    await bus.close();
  });

  it('ends a subscription when its signal aborts, waiting or not', async () => {
    const { bus, settle } = await open();
    const leave = new AbortController();
    const waiting = collect(bus.subscribe('>', leave.signal));
    const unread = bus.subscribe('>', leave.signal);
    await settle();
    leave.abort();
    expect(await waiting).toEqual([]);
    await bus.publish(events.aggregate(aggregate, 'r'));
    expect(await collect(unread)).toEqual([]);
    expect(await collect(bus.subscribe('>', leave.signal))).toEqual([]);
    await bus.close();
  });

  it('ends subscriptions when it is closed, after what was already received', async () => {
    const { bus, settle } = await open();
    const received = bus.subscribe('>', new AbortController().signal);
    await settle();
    await bus.publish(events.aggregate(aggregate, 'r'));
    await settle();
    await bus.close();
    expect(await collect(received)).toHaveLength(1);
    expect(bus.connected).toBe(false);
    await bus.close();
  });

  it('publishes no more once closed or aborted', async () => {
    const { bus } = await open();
    const event = events.aggregate(aggregate, 'r');
    const reason = new Error('stop');
    await expect(bus.publish(event, AbortSignal.abort(reason))).rejects.toBe(reason);
    await bus.close();
    await expect(bus.publish(event)).rejects.toMatchObject({ code: 'BUS_PUBLISH' });
    expect(await collect(bus.subscribe('>', new AbortController().signal))).toEqual([]);
  });
}

export async function take(events: AsyncIterable<BusEvent>, count: number): Promise<BusEvent[]> {
  const taken: BusEvent[] = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

export async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}
