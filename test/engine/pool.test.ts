import { afterEach, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { type EngineEvent, EnginePool, restartDelay } from '#src/engine/pool.js';

/** Threads that really die; see faulty.worker.mjs for what a patch's bytes make them do. */
const OK = 0;
const KILLS = 1;
const FAILS = 2;
const THROWS = 3;
const killsTimes = (times: number) => 10 + times;
const BATCH = 8;

const pools: EnginePool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

/** A pool over an arena whose patches do as told; each patch's mask bytes and count are its number + 1. */
async function poolOf(faults: readonly number[], { workers = 1, roomFor = 0, failStarts = 0 } = {}) {
  const arena = new Arena({ slots: faults.length + 1, patchSize: 32 });
  faults.forEach((fault, slot) => {
    arena.slot(slot).set([fault, roomFor, slot + 1]);
  });
  const events: EngineEvent[] = [];
  const backend = {
    engine: 'null',
    model: '',
    modelVersion: null,
    cacheFolder: '',
    patchSize: 32,
    batch: BATCH,
    threads: 1,
    device: 0,
    layers: [],
    nullDelay: 0,
  } as const;
  const data = { arena: { shape: arena.shape, shared: arena.shared }, backend };
  const pool = await EnginePool.start({
    crew: { model: { name: 'm', version: '1', threshold: 0.5 }, threads: Array.from({ length: workers }, () => data) },
    script: new URL('./faulty.worker.mjs', import.meta.url),
    delay: () => 0,
    onEvent: event => events.push(event),
  });
  pools.push(pool);
  const control = arena.slot(faults.length);
  control[1] = failStarts;
  return { pool, events, starts: () => control[0]! };
}

const slots = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
const wellDone = (from: number, count: number) => slots(count, from).map(slot => new Uint8Array(4).fill(slot + 1));

describe('a thread that dies', () => {
  test('once is replaced and its batch redone; callers notice nothing', async () => {
    const { pool, events, starts } = await poolOf([OK, killsTimes(1), OK]);
    const { bits, counts, failed } = await pool.segment([0, 1, 2]);
    expect(bits).toEqual(wellDone(0, 3));
    expect([...counts]).toEqual([1, 2, 3]);
    expect(failed).toBeUndefined();
    expect(starts()).toBe(2);
    expect(events).toMatchObject([
      { type: 'restarted', failures: 1, error: { message: expect.stringMatching(/ended with 3/) } },
    ]);
  });

  test('takes nothing with it that only waited behind', async () => {
    const { pool, starts } = await poolOf([KILLS, OK, OK, OK]);
    const [guilty, ...waiting] = await Promise.all([pool.segment([0]), pool.segment([1]), pool.segment([2, 3])]);
    expect([...guilty.failed!.keys()]).toEqual([0]);
    expect(waiting.map(({ bits }) => bits)).toEqual([wellDone(1, 1), wellDone(2, 2)]);
    expect(waiting.every(({ failed }) => failed === undefined)).toBe(true);
    // The first, and one after each of the guilty patch's two deaths.
    expect(starts()).toBe(3);
  });

  test.each([
    ['ends', KILLS, 'thread ended with 3'],
    ['fails softly', FAILS, 'non-zero status code'],
    ['throws', THROWS, 'the engine crashed'],
  ])('because a patch %s it: the patch is found and the rest is done', async (_, fault, message) => {
    for (const guilty of [0, 3, 7]) {
      const faults = slots(BATCH).map(slot => (slot === guilty ? fault : OK));
      const { pool, events } = await poolOf(faults);
      const { bits, counts, failed } = await pool.segment(slots(BATCH));
      expect([...failed!.keys()]).toEqual([guilty]);
      // Twice with all, then in a half, a quarter, and alone.
      expect(failed!.get(guilty)).toMatchObject({
        attempts: 5,
        error: { code: 'ENGINE_FAILED', message: expect.stringContaining(message) },
      });
      expect(bits).toEqual(wellDone(0, BATCH).map((mask, slot) => (slot === guilty ? new Uint8Array() : mask)));
      expect(counts[guilty]).toBe(0);
      expect(events.filter(({ type }) => type === 'quarantined')).toMatchObject([{ slot: guilty }]);
      expect((await pool.segment([(guilty + 1) % BATCH])).failed).toBeUndefined();
      // Twice whole, then a half, a quarter and the patch alone.
      expect(events.filter(({ type }) => type === 'restarted')).toHaveLength(5);
    }
  });

  test('for two patches of one batch: both are found', async () => {
    const { pool } = await poolOf([OK, KILLS, OK, OK, OK, OK, FAILS, OK]);
    const { failed, counts } = await pool.segment([6, 0, 1, 2]);
    expect([...failed!.keys()].sort()).toEqual([0, 2]);
    expect([...counts]).toEqual([0, 1, 0, 3]);
  });
});

describe('memory', () => {
  test('a batch too large is halved until it fits, and later ones come in that size', async () => {
    const { pool, events, starts } = await poolOf(
      slots(BATCH).map(() => OK),
      { roomFor: 2 },
    );
    const { bits, failed, seconds } = await pool.segment(slots(BATCH));
    expect(bits).toEqual(wellDone(0, BATCH));
    expect(failed).toBeUndefined();
    expect(seconds).toBe(4 * 0.5);
    expect(events.filter(({ type }) => type === 'batch-lowered')).toEqual([
      { type: 'batch-lowered', batch: 4 },
      { type: 'batch-lowered', batch: 2 },
    ]);
    const before = starts();
    expect((await pool.segment(slots(7))).bits).toEqual(wellDone(0, 7));
    expect(starts()).toBe(before);
  });
});

describe('giving up', () => {
  test('when nothing succeeds, calls reject with what went wrong, now and later', async () => {
    const { pool, events, starts } = await poolOf(slots(BATCH).map(() => FAILS));
    const expected = {
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/failed \d+ times in a row: .*non-zero status/),
    };
    await expect(pool.segment(slots(BATCH))).rejects.toMatchObject(expected);
    const before = starts();
    await expect(pool.segment([0])).rejects.toMatchObject(expected);
    expect(starts()).toBe(before);
    expect(events.filter(({ type }) => type === 'gave-up')).toMatchObject([{ error: expected }]);
  });

  test('a thread that cannot be started for a while is waited for', async () => {
    const { pool } = await poolOf([killsTimes(1), OK], { failStarts: 3 });
    expect((await pool.segment([0, 1])).bits).toEqual(wellDone(0, 2));
  });

  test('a thread that cannot be started any more ends it', async () => {
    const { pool } = await poolOf([killsTimes(1)], { failStarts: 100 });
    await expect(pool.segment([0])).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringContaining('no device'),
    });
  });

  test('the delay grows to half a minute', () => {
    expect([1, 2, 3, 4, 8, 9, 50].map(restartDelay)).toEqual([0, 500, 1000, 2000, 30_000, 30_000, 30_000]);
  });
});

describe('several threads', () => {
  test('share the batches; one that dies does not stop the other', async () => {
    const faults = slots(20).map(slot => (slot === 5 ? KILLS : OK));
    const { pool, starts } = await poolOf(faults, { workers: 2 });
    const results = await Promise.all(slots(20).map(slot => pool.segment([slot])));
    expect(results.flatMap(({ failed }, slot) => (failed ? [slot] : []))).toEqual([5]);
    expect(results.map(({ counts }) => counts[0])).toEqual(slots(20).map(slot => (slot === 5 ? 0 : slot + 1)));
    expect(starts()).toBe(4);
    expect(pool.info).toMatchObject({ name: 'faulty', device: 'none', batch: BATCH, lanes: 2 });
  });

  test('closing while one restarts ends both', async () => {
    const { pool } = await poolOf([KILLS, OK], { workers: 2, failStarts: 50 });
    const open = pool.segment([0]).catch((error: unknown) => error);
    await pool.segment([1]);
    await pool.close();
    expect(await open).toMatchObject({ code: 'ENGINE_FAILED' });
  });
});
