import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { EngineThread, Outcome } from '#src/engine/engine-thread.js';
import { Lane } from '#src/engine/lane.js';

/** Threads that are only pretended; each says what it was given. */
function crew() {
  const ran: string[] = [];
  const closed: string[] = [];
  const thread = (name: string) => {
    const one = {
      gone: false,
      load: 0,
      run: async (slots: readonly number[]): Promise<Outcome> => {
        ran.push(`${name}:${slots}`);
        return { name } as unknown as Outcome;
      },
      close: async () => void closed.push(name),
    };
    return one as typeof one & EngineThread;
  };
  return { ran, closed, thread };
}

function laneOf(options: { readonly fail?: number; readonly giveUpAfter?: number; readonly hang?: boolean } = {}) {
  const { ran, closed, thread } = crew();
  const first = thread('first');
  const seen = { starts: 0, delays: [] as number[], restarted: 0, failed: 0 };
  const lane = new Lane(first, {
    start: async signal => {
      seen.starts++;
      if (options.hang) await once(signal, 'abort').then(() => Promise.reject(new Error('ended while it loaded')));
      if (seen.starts <= (options.fail ?? 0)) throw new Error(`no device (${seen.starts})`);
      return thread(`start ${seen.starts}`);
    },
    failures: () => 1 + seen.failed,
    delay: failures => {
      seen.delays.push(failures);
      return 0;
    },
    onStartFailed: error => {
      seen.failed++;
      if (seen.failed >= (options.giveUpAfter ?? 99)) throw error;
    },
    onRestarted: () => {
      seen.restarted++;
    },
  });
  return { lane, first, ran, closed, seen };
}

describe('a lane', () => {
  test('runs on its thread, and starts none while it lives', async () => {
    const { lane, ran, seen } = laneOf();
    await lane.run([1, 2]);
    expect([ran, seen.starts]).toEqual([['first:1,2'], 0]);
  });

  test('starts one thread for all that wait for it', async () => {
    const { lane, first, ran, seen } = laneOf();
    Object.assign(first, { gone: true });
    const both = Promise.all([lane.run([1]), lane.run([2])]);
    expect(lane.load).toBe(2);
    await both;
    expect(lane.load).toBe(0);
    expect(ran).toEqual(['start 1:1', 'start 1:2']);
    expect(seen).toMatchObject({ starts: 1, restarted: 1, delays: [1] });
  });

  test('tries again, later each time, while a thread cannot be started', async () => {
    const { lane, first, ran, seen } = laneOf({ fail: 3 });
    Object.assign(first, { gone: true });
    await lane.run([5]);
    expect(ran).toEqual(['start 4:5']);
    expect(seen).toMatchObject({ delays: [1, 2, 3, 4], failed: 3, restarted: 1 });
  });

  test('rejects with the reason for which it is given up, and waits for nothing any more', async () => {
    const { lane, first, seen } = laneOf({ fail: 99, giveUpAfter: 2 });
    Object.assign(first, { gone: true });
    await expect(lane.run([1])).rejects.toThrow('no device (2)');
    expect([seen.starts, lane.load]).toEqual([2, 0]);
  });

  test('that is closed while it waits to start again rejects, and closes its thread', async () => {
    const { lane, first, closed, seen } = laneOf();
    Object.assign(first, { gone: true });
    const running = lane.run([1]);
    const rejected = expect(running).rejects.toMatchObject({ name: 'AbortError' });
    await lane.close();
    await rejected;
    expect([closed, seen.starts]).toEqual([['first'], 0]);
  });

  test('that is closed while a thread loads counts no failure', async () => {
    const { lane, first, seen } = laneOf({ hang: true });
    Object.assign(first, { gone: true });
    const rejected = expect(lane.run([1])).rejects.toMatchObject({ name: 'AbortError' });
    while (seen.starts === 0) await new Promise(resolve => setImmediate(resolve));
    await lane.close();
    await rejected;
    expect(seen).toMatchObject({ failed: 0, restarted: 0 });
  });
});
