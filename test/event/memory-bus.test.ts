import { describe, expect, it } from 'vitest';
import { EventQueue } from '#src/event/event-queue.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { collect, itIsABus, take } from './bus-contract.js';
import { createSampleEvents, maskInput } from './samples.js';

describe('createMemoryBus', () => {
  itIsABus(async () => ({ bus: createMemoryBus(), settle: async () => {} }));

  it('says what it is', () => {
    expect(createMemoryBus()).toMatchObject({ description: 'in process', connected: true });
  });
});

describe('EventQueue', () => {
  const event = createSampleEvents().mask(maskInput());

  it('tells a subscriber that fell behind, instead of dropping events unseen', async () => {
    const queue = new EventQueue(3 * (event.data.byteLength + 1024));
    for (let sent = 0; sent < 4; sent++) queue.push(event);
    await expect(collect(queue)).rejects.toMatchObject({ code: 'BUS_SLOW_SUBSCRIBER' });
  });

  it('counts only what waits: a subscriber that keeps up receives for ever', async () => {
    const queue = new EventQueue(3 * (event.data.byteLength + 1024));
    for (let sent = 0; sent < 1000; sent++) {
      queue.push({ ...event, id: String(sent) });
      expect((await queue[Symbol.asyncIterator]().next()).value).toMatchObject({ id: String(sent) });
    }
  });

  it('gives what came before its end, then the failure', async () => {
    const queue = new EventQueue();
    queue.push(event);
    const failure = Object.assign(new Error('gone'));
    queue.end(failure as never);
    queue.push(event);
    expect(await take(queue, 1)).toEqual([event]);
    await expect(collect(queue)).rejects.toBe(failure);
  });
});
