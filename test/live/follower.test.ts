import { once } from 'node:events';
import { appendFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arrivals } from '#src/live/arrivals.js';
import { keepLooking } from '#src/live/follower.js';
import { temporaryFolder } from '../support/temporary.js';

const path = (): string => {
  const at = join(temporaryFolder('follow'), 'slide.tiff');
  writeFileSync(at, 'begun');
  return at;
};
const never = new AbortController().signal;
const QUICK = { pollSeconds: 0.001, stallSeconds: 1, events: false };
/** Only an event can bring the next look before the test runs out of time. */
const HOURS = { pollSeconds: 36_000, stallSeconds: 1, events: true };

describe('keepLooking', () => {
  it('looks until a look says that it is enough', async () => {
    let looks = 0;
    await keepLooking([path()], QUICK, never, async () => (++looks < 3 ? 'nothing' : 'over'));
    expect(looks).toBe(3);
  });

  it('looks as soon as one of its paths changes, long before the poll is due', async () => {
    const [one, other] = [path(), path()];
    const changes = [() => appendFileSync(other, 'more'), () => appendFileSync(one, 'more')];
    let looks = 0;
    await keepLooking([one, other], HOURS, never, async () => {
      looks += 1;
      setImmediate(changes.shift() ?? (() => undefined));
      return looks < 3 ? 'found' : 'over';
    });
    expect([looks, changes.length]).toEqual([3, 0]);
  });

  it('keeps a change that happens while it looks', async () => {
    const at = path();
    let looks = 0;
    await keepLooking([at], HOURS, never, async () => {
      if (++looks > 1) return 'over';
      // Whoever watches hears of it while the look still goes on, and nobody waits yet.
      const watcher = watch(at);
      const heard = once(watcher, 'change');
      appendFileSync(at, 'more');
      await heard;
      watcher.close();
      return 'found';
    });
    expect(looks).toBe(2);
  });

  it('ends with the signal, before the first look or while it waits', async () => {
    let looks = 0;
    const look = async () => (++looks > 0 ? 'nothing' : 'over');
    await keepLooking([path()], QUICK, AbortSignal.abort(), look);
    expect(looks).toBe(0);
    const stop = new AbortController();
    const looking = keepLooking([path()], HOURS, stop.signal, look);
    while (looks === 0) await new Promise(resolve => setImmediate(resolve));
    stop.abort();
    await looking;
    expect(looks).toBe(1);
  });

  it('needs no events: a path that is not there is looked for by the poll', async () => {
    let looks = 0;
    await keepLooking(['/nowhere/at/all'], { ...QUICK, events: true }, never, async () =>
      ++looks < 4 ? 'nothing' : 'over',
    );
    expect(looks).toBe(4);
  });

  it('hands on what a look failed with', async () => {
    const failing = keepLooking([path()], QUICK, never, async () => {
      throw new Error('the index is damaged');
    });
    await expect(failing).rejects.toThrow('the index is damaged');
  });
});

describe('arrivals', () => {
  const looksOf = (...looks: (readonly number[] | Error)[]) => {
    const stop = new AbortController();
    let at = 0;
    const found = arrivals([path()], QUICK, never, stop, async () => {
      const look = looks[at++]!;
      if (look instanceof Error) throw look;
      return { tiles: look, grows: at < looks.length };
    });
    return { found, stop, looked: () => at };
  };

  it('are the tiles of each look that found any, and end with the last', async () => {
    const seen: (readonly number[])[] = [];
    for await (const { tiles } of looksOf([1, 2], [], [3], []).found) seen.push(tiles);
    expect(seen).toEqual([[1, 2], [3]]);
  });

  it('fail with the look, after what was found before', async () => {
    const { found } = looksOf([1], new Error('the share went away'));
    const seen: (readonly number[])[] = [];
    const reading = (async () => {
      for await (const { tiles } of found) seen.push(tiles);
    })();
    await expect(reading).rejects.toThrow('the share went away');
    expect(seen).toEqual([[1]]);
  });

  it('look no more when nobody listens', async () => {
    const { found, stop, looked } = looksOf(...Array.from({ length: 1000 }, (_, tile) => [tile]));
    for await (const { tiles } of found) {
      expect(tiles).toEqual([0]);
      break;
    }
    expect(stop.signal.aborted).toBe(true);
    expect(looked()).toBeLessThan(5);
  });
});
