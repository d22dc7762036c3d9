import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '#src/stage/fair-queue.js';

async function collect<T>(queue: FairQueue<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe('FairQueue', () => {
  it('takes from each source in turn', async () => {
    const queue = new FairQueue<string>();
    queue.add(['a1', 'a2', 'a3']);
    queue.add(['b1']);
    queue.add(['c1', 'c2']);
    queue.close();
    expect(await collect(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  });

  it('gives a source its priority in each round', async () => {
    const queue = new FairQueue<string>();
    queue.add(['a', 'a', 'a', 'a'], 2);
    queue.add(['b', 'b']);
    queue.close();
    expect((await collect(queue)).join('')).toBe('aabaab');
  });

  it('passes over a source that has nothing yet', async () => {
    const queue = new FairQueue<string>();
    async function* slow(): AsyncGenerator<string> {
      await sleep(30);
      yield 'slow';
    }
    queue.add(slow());
    queue.add(['fast', 'fast']);
    queue.close();
    expect(await collect(queue)).toEqual(['fast', 'fast', 'slow']);
  });

  it('waits for sources that are added later and ends only when closed', async () => {
    const queue = new FairQueue<number>();
    const all = collect(queue);
    await sleep(5);
    queue.add([1, 2]);
    await sleep(5);
    queue.add([3]);
    queue.close();
    expect(await all).toEqual([1, 2, 3]);
  });

  it('passes a failure on', async () => {
    const queue = new FairQueue<number>();
    queue.add(
      (function* () {
        yield 1;
        throw new Error('source broke');
      })(),
    );
    queue.close();
    await expect(collect(queue)).rejects.toThrow('source broke');
  });

  it('closes its sources when the consumer stops', async () => {
    const queue = new FairQueue<number>();
    let closed = false;
    queue.add(
      (function* () {
        try {
          for (;;) yield 1;
        } finally {
          closed = true;
        }
      })(),
    );
    for await (const _ of queue) break;
    expect(closed).toBe(true);
  });

  it('loses nothing and keeps the order within each source', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.integer()), { maxLength: 6 }), async sources => {
        const queue = new FairQueue<{ source: number; item: number }>();
        for (const [source, items] of sources.entries()) queue.add(items.map(item => ({ source, item })));
        queue.close();
        const all = await collect(queue);
        sources.forEach((items, source) => {
          expect(all.filter(entry => entry.source === source).map(entry => entry.item)).toEqual(items);
        });
      }),
    );
  });
});

describe('FairQueue, aborted', () => {
  it('ends at once and says what it took but did not hand on', async () => {
    const abort = new AbortController();
    const dropped: string[] = [];
    const queue = new FairQueue<string>({ signal: abort.signal, dropped: item => dropped.push(item) });
    queue.add(['a1', 'a2', 'a3']);
    queue.add(['b1', 'b2']);
    expect(await queue.next()).toEqual({ done: false, value: 'a1' });
    abort.abort();
    expect(await queue.next()).toEqual({ done: true, value: undefined });
    expect(dropped.sort()).toEqual(['a2', 'b1']);
  });

  it('wakes a consumer that waits, and drops what a slow source brings too late', async () => {
    const abort = new AbortController();
    const dropped: string[] = [];
    const queue = new FairQueue<string>({ signal: abort.signal, dropped: item => dropped.push(item) });
    async function* slow(): AsyncGenerator<string> {
      await sleep(20);
      yield 'late';
    }
    queue.add(slow());
    const waiting = queue.next();
    abort.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await sleep(40);
    expect(dropped).toEqual(['late']);
  });

  it('closes what is added afterwards without reading it', async () => {
    const abort = new AbortController();
    abort.abort();
    const queue = new FairQueue<number>({ signal: abort.signal });
    let read = false;
    queue.add(
      (function* () {
        read = true;
        yield 1;
      })(),
    );
    expect((await queue.next()).done).toBe(true);
    expect(read).toBe(false);
  });
});
