import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BackendOptions, EngineBackend } from '#src/engine/backend.js';
import { createBackend } from '#src/engine/backends.js';
import { isOutOfMemory } from '#src/engine/out-of-memory.js';
import { createProcessBackend } from '#src/engine/process/process-backend.js';
import { makeBundle, SMALL } from '../../support/formula-weights.js';
import { childrenOf, eventually, isAlive } from '../../support/processes.js';

const FAULTY = new URL('./faulty.child.mjs', import.meta.url);
const SIDE = 32;

let root: string;
const opened: EngineBackend[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-process-'));
});
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});
afterAll(() => rm(root, { recursive: true }));

const options = (given: Partial<BackendOptions> = {}): BackendOptions => ({
  ...({ engine: 'null', model: '', modelVersion: null, cacheFolder: join(root, 'cache') } as const),
  ...{ patchSize: SIDE, batch: 2, threads: 1, device: 0, layers: [], nullDelay: 0 },
  ...given,
});

async function open(given?: Partial<BackendOptions>, script?: URL): Promise<EngineBackend> {
  const backend = await createProcessBackend(options(given), script);
  opened.push(backend);
  return backend;
}

const noise = (seed: number) =>
  Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => Math.imul(i + seed, 2654435761) >>> 24);
const faulty = (fault: number) => new Uint8Array(SIDE * SIDE * 3).fill(fault, 0, 1);

describe('an engine in a process of its own', () => {
  test('gives what it gives in a thread: masks, counts, probabilities, for whole and part-filled batches', async () => {
    const given = { probabilities: true };
    const apart = await open(given);
    const here = await createBackend(options(given));
    for (const count of [2, 1, 2]) {
      const patches = Array.from({ length: count }, (_, i) => noise(count + i));
      expect(await apart.run(patches)).toEqual(await here.run(patches));
    }
    expect([apart.name, apart.version, apart.device]).toEqual([here.name, here.version, here.device]);
  });

  test('runs a network, and evaluates its layers', async () => {
    const model = await makeBundle({ config: SMALL }, join(root, 'small'));
    const given = { engine: 'cpu', model, patchSize: 64, layers: ['encoder.1'] } as const;
    const apart = await open({ ...given, layers: [] });
    const here = await createBackend(options({ ...given, layers: [] }));
    const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
    const { mask, counts } = await here.run([pixels]);
    expect(await apart.run([pixels])).toEqual({ mask: new Uint8Array(mask), counts, notFinite: [] });
    expect(await apart.evaluate(pixels, 64, 64)).toEqual(await here.evaluate(pixels, 64, 64));
    await here.close();
  });

  test('is told through backends.ts, and leaves nothing behind when it is closed', async () => {
    const before = childrenOf(process.pid);
    const backend = await createBackend(options({ isolation: 'process' }));
    const [child] = childrenOf(process.pid).filter(pid => !before.includes(pid));
    const shared = async () => (await openFiles()).filter(name => /\/stromaflow-\d+-.* \(deleted\)$/.test(name));
    expect(isAlive(child!)).toBe(true);
    expect(await shared()).toHaveLength(1);
    await backend.close();
    expect(isAlive(child!)).toBe(false);
    expect(await shared()).toEqual([]);
    await backend.close();
  });

  test('goes on with its batch when the terminal interrupts', async () => {
    const before = childrenOf(process.pid);
    const backend = await open({ nullDelay: 100 });
    const [child] = childrenOf(process.pid).filter(pid => !before.includes(pid));
    const running = backend.run([noise(1)]);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(child!, signal);
    expect((await running).counts).toHaveLength(1);
  });
});

async function openFiles(): Promise<string[]> {
  const names = await readdir('/proc/self/fd');
  return Promise.all(names.map(name => readlink(join('/proc/self/fd', name)).catch(() => '')));
}

describe('what ends the process is a failed run here', () => {
  test.each([
    ['a crash in native code', 1, 'crashed (SIGSEGV)', false],
    ['the kernel short of memory', 2, 'ran out of memory', true],
    ['a library that exits', 3, 'crashed (exit status 7)', false],
    ['a run that fails', 5, 'non-zero status', false],
    ['an answer that does not fit', 6, 'unexpected layers', false],
  ])('%s', async (_, fault, message, outOfMemory) => {
    const backend = await open({}, FAULTY);
    expect((await backend.run([faulty(0)])).counts).toEqual(new Int32Array([SIDE * SIDE]));
    const error: unknown = await backend.run([faulty(fault)]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ENGINE_FAILED', message: expect.stringContaining(message) });
    expect(isOutOfMemory(error)).toBe(outOfMemory);
  });

  test('an engine that hangs is killed when its time is up', async () => {
    const before = childrenOf(process.pid);
    const backend = await open({ runSeconds: 0.3 }, FAULTY);
    const [child] = childrenOf(process.pid).filter(pid => !before.includes(pid));
    await expect(backend.run([faulty(4)])).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringContaining('did not answer within 0.3 s'),
      fix: expect.stringContaining('--engine-timeout'),
    });
    expect(isAlive(child!)).toBe(false);
  });

  test('a process that dies between two runs', async () => {
    const before = childrenOf(process.pid);
    const backend = await open({}, FAULTY);
    const [child] = childrenOf(process.pid).filter(pid => !before.includes(pid));
    process.kill(child!, 'SIGSEGV');
    await eventually(() => !isAlive(child!));
    await expect(backend.run([faulty(0)])).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
  });
});

describe('what cannot start', () => {
  test('keeps the code of what is wrong', async () => {
    await expect(createProcessBackend(options({ model: 'bad' }), FAULTY)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      fix: 'get one',
    });
  });

  test('a crash while loading is an engine that cannot be used', async () => {
    await expect(createProcessBackend(options({ model: 'crash' }), FAULTY)).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('SIGABRT'),
    });
  });

  test('a batch for which there is no room says what to do', async () => {
    // 5 bytes for each of 2^26 × 65536² pixels: no disk has that.
    await expect(createProcessBackend(options({ batch: 2 ** 26, patchSize: 65536 }))).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      fix: expect.stringContaining('--isolation thread'),
    });
  });
});
