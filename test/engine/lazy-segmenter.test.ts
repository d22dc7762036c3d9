import { describe, expect, test } from 'vitest';
import { LazySegmenter } from '#src/engine/lazy-segmenter.js';
import type { EngineInfo, Segmenter } from '#src/engine/segmenter.js';

const INFO = { engine: 'cpu', model: 'm', modelVersion: '1' } as EngineInfo;

function counted(fail = false) {
  const seen = { starts: 0, batches: [] as (readonly number[])[], closed: 0 };
  const segmenter: Segmenter = {
    info: INFO,
    segment: async slots => {
      seen.batches.push(slots);
      return { bits: [], counts: new Int32Array(slots.length), seconds: 0 };
    },
    close: async () => {
      seen.closed += 1;
    },
  };
  const lazy = new LazySegmenter(INFO, async () => {
    seen.starts += 1;
    if (fail) throw new Error('no engine');
    return segmenter;
  });
  return { lazy, seen };
}

describe('a segmenter that starts with its first batch', () => {
  test('starts once for all of them, and closes what it started', async () => {
    const { lazy, seen } = counted();
    expect(lazy.info).toBe(INFO);
    expect(seen.starts).toBe(0);
    await Promise.all([lazy.segment([1, 2]), lazy.segment([3])]);
    await lazy.close();
    expect(seen).toEqual({ starts: 1, batches: [[1, 2], [3]], closed: 1 });
  });

  test('starts nothing when there are none', async () => {
    const { lazy, seen } = counted();
    await lazy.close();
    expect(seen).toEqual({ starts: 0, batches: [], closed: 0 });
  });

  test('says why it cannot start, and closes all the same', async () => {
    const { lazy } = counted(true);
    await expect(lazy.segment([1])).rejects.toThrow('no engine');
    await lazy.close();
  });
});
