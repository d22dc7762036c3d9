import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { EventQueue, readUntilLeft } from '#src/event/event-queue.js';
import { collect } from './bus-contract.js';
import { createSampleEvents, maskInput } from './samples.js';

const sample = createSampleEvents().mask(maskInput());
const eventOf = (id: number, bytes = 0) => ({ ...sample, id: String(id), data: new Uint8Array(bytes) });
const OVERHEAD = 1024;

describe('what waits', () => {
  it('may be as much as the limit to the byte, and not one byte more', async () => {
    const exact = new EventQueue(2 * OVERHEAD + 10);
    exact.push(eventOf(0, 4));
    exact.push(eventOf(1, 6));
    exact.end();
    expect(await collect(exact)).toHaveLength(2);
    const over = new EventQueue(2 * OVERHEAD + 9);
    over.push(eventOf(0, 4));
    over.push(eventOf(1, 6));
    await expect(collect(over)).rejects.toMatchObject({
      code: 'BUS_SLOW_SUBSCRIBER',
      message: `more than ${2 * OVERHEAD + 9} bytes of events wait unread`,
    });
  });

  it('comes out in the order it came in, however reading and writing take turns', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -6, max: 6 }), { maxLength: 60 }), async steps => {
        const queue = new EventQueue();
        const reader = queue[Symbol.asyncIterator]();
        let [pushed, read] = [0, 0];
        for (const step of steps) {
          for (let i = 0; i < step; i++) queue.push(eventOf(pushed++));
          for (let i = 0; i > step && read < pushed; i--)
            expect((await reader.next()).value).toMatchObject({ id: String(read++) });
        }
        queue.end();
        for (; read < pushed; read++) expect((await reader.next()).value).toMatchObject({ id: String(read) });
        expect((await reader.next()).done).toBe(true);
      }),
    );
  });
});

describe('the end', () => {
  it('wakes a reader that waits', async () => {
    const queue = new EventQueue();
    const waiting = collect(queue);
    await Promise.resolve();
    queue.end();
    expect(await waiting).toEqual([]);
  });

  it('is the first that was said; later events and ends change nothing', async () => {
    const queue = new EventQueue();
    const first = new StromaflowError('BUS_UNREACHABLE', 'first');
    queue.end(first);
    queue.end(new StromaflowError('INTERNAL', 'second'));
    queue.push(eventOf(0));
    await expect(collect(queue)).rejects.toBe(first);
  });

  it('of a subscriber that left keeps nothing for it', async () => {
    const queue = new EventQueue();
    queue.push(eventOf(0));
    queue.cancel();
    queue.push(eventOf(1));
    expect(await collect(queue)).toEqual([]);
  });

  it('by an overflow throws away what waited: after a gap nothing would be right', async () => {
    const queue = new EventQueue(OVERHEAD);
    queue.push(eventOf(0));
    const reader = queue[Symbol.asyncIterator]();
    queue.push(eventOf(1));
    await expect(reader.next()).rejects.toMatchObject({ code: 'BUS_SLOW_SUBSCRIBER' });
  });
});

describe('leaving the loop', () => {
  it.each(['break', 'throw', 'end'] as const)('by %s ends the subscription once', async way => {
    const queue = new EventQueue();
    for (let id = 0; id < 3; id++) queue.push(eventOf(id));
    if (way === 'end') queue.end();
    let left = 0;
    const loop = async (): Promise<void> => {
      for await (const { id } of readUntilLeft(queue, () => left++)) {
        if (way === 'break' && id === '1') break;
        if (way === 'throw' && id === '1') throw new Error('mine');
      }
    };
    if (way === 'throw') await expect(loop()).rejects.toThrow('mine');
    else await loop();
    expect(left).toBe(1);
  });
});
