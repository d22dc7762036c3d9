import { rmSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DiskSpace } from '#src/store/disk-space.js';
import { openLedger } from '#src/store/lmdb-ledger.js';
import { failureOf } from '../slide/fixture.js';
import { temporaryFolder } from '../support/temporary.js';

/** Bytes that the file system says are free; undefined asks the real one. */
const disk = { free: undefined as number | undefined, asked: 0 };
const real = fs.statfs;
beforeAll(() => {
  vi.spyOn(fs, 'statfs').mockImplementation((async (path: string) => {
    disk.asked += 1;
    return disk.free === undefined ? real(path) : { bavail: disk.free / 512, bsize: 512 };
  }) as typeof fs.statfs);
  syncBuiltinESMExports();
});
afterAll(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

const RESERVE = 8 * 2 ** 20;
beforeEach(() => Object.assign(disk, { free: undefined, asked: 0 }));

describe('DiskSpace', () => {
  it('refuses below 8 MiB, and says how much there is', async () => {
    disk.free = RESERVE;
    await new DiskSpace('/out').check();
    disk.free = RESERVE - 512;
    const error = await failureOf(() => new DiskSpace('/out').check());
    expect([error.code, error.message]).toEqual(['OUTPUT_FULL', '/out: no space left on device (8.0 MiB free)']);
    disk.free = 2.5 * 2 ** 20;
    await expect(new DiskSpace('/out').check()).rejects.toThrow('(2.5 MiB free)');
  });

  it('asks once for all who want to know at the same moment', async () => {
    disk.free = RESERVE;
    const space = new DiskSpace('/out');
    await Promise.all(Array.from({ length: 50 }, () => space.check()));
    expect(disk.asked).toBe(1);
  });

  it('asks again after a while, and goes on when there is room', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      disk.free = 0;
      const space = new DiskSpace('/out');
      for (const elapsed of [0, 100]) {
        vi.advanceTimersByTime(elapsed);
        await expect(space.check()).rejects.toMatchObject({ code: 'OUTPUT_FULL' });
      }
      expect(disk.asked).toBe(1);
      disk.free = RESERVE;
      vi.advanceTimersByTime(1);
      await space.check();
      expect(disk.asked).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the ledger of a folder', () => {
  const key = { slide: 's', fingerprint: 'f', modelVersion: 'm', plan: 'p' };
  const record = {
    level: 0,
    col: 0,
    row: 0,
    outcome: 'empty',
    validPixels: 1,
    tissuePixels: 0,
    stromaPixels: 0,
  } as const;

  it('that is full is not opened, and is left to the next one', async () => {
    const folder = temporaryFolder('full');
    disk.free = 0;
    expect((await failureOf(() => openLedger(folder))).code).toBe('OUTPUT_FULL');
    disk.free = undefined;
    await (await openLedger(folder)).close();
  });

  it('that is gone, or whose disk does not answer, says so by a code', async () => {
    const folder = temporaryFolder('gone');
    const ledger = await openLedger(folder);
    try {
      const run = await ledger.run(key);
      await run.record(record);
      // The clock that takes over begins at 0, which is long before the disk was asked last.
      const now = performance.now();
      vi.useFakeTimers({ toFake: ['performance'] });
      vi.advanceTimersByTime(now + 1000);
      rmSync(folder, { recursive: true });
      const error = await failureOf(() => run.record(record));
      expect([error.code, error.message]).toEqual(['LEDGER_FAILED', expect.stringContaining(folder)]);
    } finally {
      vi.useRealTimers();
      await ledger.close();
    }
  });
});
