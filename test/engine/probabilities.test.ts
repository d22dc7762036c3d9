import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { evaluateImage } from '#src/engine/evaluate.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';

const SIDE = 64;
const AREA = SIDE * SIDE;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'probabilities-'));
});
afterAll(() => rm(root, { recursive: true }));

function noisyArena(): Arena {
  const arena = new Arena({ slots: 3, patchSize: SIDE });
  for (let slot = 0; slot < 3; slot++) {
    arena
      .slot(slot)
      .set(Uint8Array.from({ length: arena.slotBytes }, (_, i) => Math.imul(i + slot, 2654435761) >>> 24));
  }
  return arena;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** p of every pixel from its logits, classes of which some are positive against each other. */
function expected(values: Float32Array, classes: number, positive: readonly number[]): number[] {
  return Array.from({ length: AREA }, (_, i) => {
    const logits = Array.from({ length: classes }, (_, c) => values[c * AREA + i]!);
    if (classes === 1) return sigmoid(logits[0]!);
    const exps = logits.map(logit => Math.exp(logit));
    return positive.reduce((sum, c) => sum + exps[c]!, 0) / exps.reduce((sum, e) => sum + e, 0);
  });
}

describe('probabilities', () => {
  it.each([
    ['one class', 'cpu', 1, [0], 0.5],
    ['one class and another threshold', 'cpu', 1, [0], 0.3],
    ['classes against each other', 'cpu', 3, [0, 2], 0.5],
    ['one class in TensorFlow.js', 'tfjs-wasm', 1, [0], 0.5],
    ['classes against each other in TensorFlow.js', 'tfjs-wasm', 3, [0, 2], 0.5],
  ])('of %s are the ones the mask comes from', async (what, engine, classes, positiveClasses, threshold) => {
    const activation = classes > 1 ? { activation: 'softmax2d' } : {};
    const config = { ...SMALL, classes, ...activation };
    const manifest = { positiveClasses, threshold };
    const model = await makeBundle({ config, manifest }, join(root, what.replaceAll(' ', '-')));
    const common = { engine, model, threads: 1, cacheFolder: join(root, 'cache') };
    const arena = noisyArena();
    const segmenter = await createSegmenter({ ...common, arena, batch: 2, probabilities: true });
    const { bits, probabilities } = await segmenter.segment([2, 1]);
    await segmenter.close();
    expect(probabilities).toHaveLength(2);
    const pixels = new Uint8Array(arena.slot(2));
    const { outputs } = await evaluateImage(model, { pixels, width: SIDE, height: SIDE }, common);
    const p = expected(outputs[0]!.values, classes, positiveClasses);
    const q = probabilities![0]!;
    expect(q).toHaveLength(AREA);
    // Half a step of quantisation, and what float32 leaves of p.
    expect(Math.max(...p.map((value, i) => Math.abs(value * 255 - q[i]!)))).toBeLessThan(0.5 + 1e-3);
    const wrong = p.filter((value, i) => {
      const bit = (bits[0]![i >> 3]! >> (7 - (i & 7))) & 1;
      return Math.abs(value - threshold) > 1e-4 && bit !== (value > threshold ? 1 : 0);
    });
    expect(wrong).toEqual([]);
    expect(new Set(q).size).toBeGreaterThan(10);
    expect(probabilities![1]).not.toEqual(q);
  });

  it('are not there unless they were asked for, and masks are the same without them', async () => {
    const model = await makeBundle({ config: SMALL }, join(root, 'small'));
    const common = {
      engine: 'cpu',
      model,
      threads: 1,
      cacheFolder: join(root, 'cache'),
      batch: 2,
      arena: noisyArena(),
    };
    const plain = await createSegmenter(common);
    const asked = await createSegmenter({ ...common, probabilities: true });
    const [without, beside] = await Promise.all([plain.segment([0, 1]), asked.segment([0, 1])]);
    expect(without.probabilities).toBeUndefined();
    expect(beside.bits).toEqual(without.bits);
    expect(beside.counts).toEqual(without.counts);
    await plain.close();
    await asked.close();
  });

  it('of the null engine are above one half where it marks a pixel', async () => {
    const arena = noisyArena();
    arena.slot(0).fill(240, 0, 3 * 1000);
    const segmenter = await createSegmenter({
      engine: 'null',
      model: '',
      arena,
      batch: 1,
      threads: 1,
      probabilities: true,
    });
    const { bits, probabilities } = await segmenter.segment([0]);
    await segmenter.close();
    const marked = Array.from({ length: AREA }, (_, i) => (bits[0]![i >> 3]! >> (7 - (i & 7))) & 1);
    expect(Array.from(probabilities![0]!, q => (q > 127 ? 1 : 0))).toEqual(marked);
    expect(new Set(marked).size).toBe(2);
  });
});
