import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { createOrtBackend } from '#src/engine/ort-backend.js';
import type { Segmenter } from '#src/engine/segmenter.js';
import { popcount } from '#src/mask/bits.js';
import { makeBundle, SMALL, STARTER } from '../support/formula-weights.js';
import { goldenPatch, openGolden } from './parity.js';

let root: string;
let small: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'segmenter-'));
  small = await makeBundle({ config: SMALL }, join(root, 'small'));
});
afterAll(() => rm(root, { recursive: true }));

const backendOptions = (model: string) => ({
  ...({ engine: 'cpu', model, modelVersion: '1.0.0+0', cacheFolder: join(root, 'cache') } as const),
  ...{ threads: 1, device: 0, patchSize: 64, batch: 1, layers: [], nullDelay: 0 },
});
const common = () => ({ engine: 'cpu', model: small, threads: 1, cacheFolder: join(root, 'cache') });
/** An arena of 64-px patches, each of another noise. */
function noisyArena(slots = 6): Arena {
  const arena = new Arena({ slots, patchSize: 64 });
  for (let slot = 0; slot < slots; slot++)
    arena
      .slot(slot)
      .set(Uint8Array.from({ length: arena.slotBytes }, (_, i) => Math.imul(i + slot, 2654435761) >>> 24));
  return arena;
}

describe("the starter model by the patch's own statistics", () => {
  let segmenter: Segmenter;
  const arena = new Arena({ slots: 3, patchSize: 512 });
  beforeAll(async () => {
    arena.slot(1).set((await goldenPatch()).pixels);
    segmenter = await createSegmenter({ ...common(), model: STARTER, norm: 'patch', arena, batch: 2, threads: 2 });
  });
  afterAll(() => segmenter.close());

  test("gives PyTorch's mask wherever |logit| > 1e-3", async () => {
    const { bits, counts, seconds } = await segmenter.segment([1]);
    const golden = await openGolden();
    const [mask, near] = await Promise.all(['starter/mask', 'starter/near'].map(name => golden.bytes(name)));
    await golden.close();
    expect(bits[0]!.map((byte, i) => (byte ^ mask![i]!) & ~near![i]!).every(byte => byte === 0)).toBe(true);
    expect(counts[0]).toBe(popcount(bits[0]!));
    expect(Math.abs(counts[0]! - popcount(mask!))).toBeLessThanOrEqual(popcount(near!));
    expect(counts[0]).toBeGreaterThan(90_000);
    expect(seconds).toBeGreaterThan(0);
  });

  test('states what runs', () => {
    expect(segmenter.info).toMatchObject({
      name: 'onnxruntime',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      device: 'cpu',
      model: 'stroma-fpn-resnet34-starter',
      modelVersion: expect.stringMatching(/^0\.1\.0\+[0-9a-f]{8}$/),
      batch: 2,
    });
    expect(segmenter.info.loadSeconds).toBeGreaterThan(0);
  });
});

describe('a batch', () => {
  test('is answered in the order of the slots, whatever its size, and the same patch always alike', async () => {
    const arena = noisyArena();
    const before = new Uint8Array(arena.shared).slice();
    const segmenter = await createSegmenter({ ...common(), arena, batch: 4 });
    const alone = await Promise.all([0, 1, 2, 3, 4, 5].map(slot => segmenter.segment([slot])));
    const { bits, counts } = await segmenter.segment([5, 0, 3]);
    expect([...counts]).toEqual([5, 0, 3].map(slot => alone[slot]!.counts[0]));
    expect(bits).toEqual([5, 0, 3].map(slot => alone[slot]!.bits[0]));
    expect(new Set(alone.map(({ counts }) => counts[0])).size).toBeGreaterThan(1);
    expect(new Uint8Array(arena.shared)).toEqual(before);
    await segmenter.close();
  });

  test('too large, empty, or of a slot that is not there, is refused', async () => {
    const segmenter = await createSegmenter({ engine: 'null', model: '', arena: noisyArena(), batch: 2, threads: 1 });
    for (const slots of [[], [0, 1, 2], [6], [-1], [0.5]])
      await expect(segmenter.segment(slots)).rejects.toThrow(RangeError);
    await segmenter.close();
  });
});

describe('abort and close', () => {
  test('an aborted call rejects with the reason; the next ones run', async () => {
    const segmenter = await createSegmenter({ ...common(), arena: noisyArena(), batch: 2 });
    const reason = new Error('enough');
    await expect(segmenter.segment([0], AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const aborted = segmenter.segment([0], controller.signal);
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect((await segmenter.segment([1])).bits).toHaveLength(1);
    await segmenter.close();
  });

  test('closing rejects what is open, and calls afterwards', async () => {
    const segmenter = await createSegmenter({
      engine: 'null',
      model: '',
      arena: noisyArena(),
      batch: 2,
      threads: 1,
      nullDelay: 50,
    });
    const open = segmenter.segment([0]).catch((error: unknown) => error);
    await segmenter.close();
    expect(await open).toMatchObject({ code: 'ENGINE_FAILED' });
    await expect(segmenter.segment([0])).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
  });

  test('an aborted start leaves no thread behind', async () => {
    const controller = new AbortController();
    const start = createSegmenter({ ...common(), arena: noisyArena(), batch: 2, signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(start).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('a thread started again after the bundle has changed does not run the new weights under the old version', async () => {
  const model = await makeBundle({ config: SMALL, manifest: { version: '2.0.0' } }, join(root, 'changed'));
  await expect(createOrtBackend(backendOptions(model))).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('was 1.0.0+0 and is 2.0.0+'),
  });
});

describe('what cannot start', () => {
  test('an unknown engine names the known ones', async () => {
    const start = createSegmenter({ ...common(), engine: 'quantum', arena: noisyArena(), batch: 1 });
    await expect(start).rejects.toMatchObject({ code: 'USAGE', fix: expect.stringContaining('cpu') });
  });

  test('a patch size the encoder cannot halve five times', async () => {
    const arena = new Arena({ slots: 1, patchSize: 80 });
    await expect(createSegmenter({ ...common(), arena, batch: 1 })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('a missing bundle', async () => {
    const start = createSegmenter({ ...common(), model: join(root, 'absent'), arena: noisyArena(), batch: 1 });
    await expect(start).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  test('weights that turn out bad inside the thread keep their code', async () => {
    const edit: Parameters<typeof makeBundle>[0]['edit'] = tensors => {
      tensors[0]!.values[0] = Number.POSITIVE_INFINITY;
      return tensors;
    };
    const model = await makeBundle({ config: SMALL, edit }, join(root, 'poison'));
    await expect(createSegmenter({ ...common(), model, arena: noisyArena(), batch: 1 })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('encoder.conv1.weight holds Infinity at 0'),
    });
  });
});

test('the null engine marks dark pixels, without a model', async () => {
  const arena = new Arena({ slots: 1, patchSize: 32 });
  arena.slot(0).fill(255);
  arena.slot(0).fill(90, 0, 3 * 40);
  const segmenter = await createSegmenter({ engine: 'null', model: '', arena, batch: 1, threads: 1 });
  const { bits, counts } = await segmenter.segment([0]);
  expect([...counts]).toEqual([40]);
  expect([...bits[0]!.subarray(0, 6)]).toEqual([255, 255, 255, 255, 255, 0]);
  expect(segmenter.info).toMatchObject({ name: 'null', model: 'null' });
  await segmenter.close();
});
