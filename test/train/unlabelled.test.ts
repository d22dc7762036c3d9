import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findUnlabelled } from '#src/evaluate/unlabelled.js';
import { unlabelledOrder } from '#src/train/order.js';
import type { TrainBatch } from '#src/train/port.js';
import type { EpochLine } from '#src/train/progress.js';
import { pseudoLabels, pseudoWeight } from '#src/train/pseudo-labels.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { createLogisticTrainer } from './logistic-trainer.mjs';
import { type OpenTrainer, runTraining } from './train-context.js';
import { pictureSet, smallBundle, writePicture } from './train-set.js';

describe('pseudo-labels', () => {
  it('are of pixels that the teacher is sure of and that are of the slide', () => {
    const batch = { size: 32, images: new Uint8Array(0), labels: Uint8Array.of(0, 0, 0, 0, 255, 0) };
    const probabilities = Float32Array.of(0.96, 0.94, 0.5, 0.04, 0.99, 0.06);
    const { batch: labelled, confident, offered } = pseudoLabels(batch, probabilities, 0.95);
    expect([...labelled.labels]).toEqual([1, 255, 255, 0, 255, 255]);
    expect([confident, offered]).toEqual([2, 5]);
    expect([...batch.labels]).toEqual([0, 0, 0, 0, 255, 0]);
  });

  it('weigh next to nothing at first, and their full weight after the ramp', () => {
    const recipe = { threshold: 0.9, weight: 2, ramp: 4 };
    const weights = [0, 1, 2, 4, 9].map(epochs => pseudoWeight(recipe, epochs));
    expect(weights[0]).toBeCloseTo(2 * Math.exp(-5), 9);
    expect(weights[2]).toBeCloseTo(2 * Math.exp(-1.25), 9);
    expect(weights.slice(3)).toEqual([2, 2]);
    expect(weights).toEqual(weights.toSorted((a, b) => a - b));
    expect(pseudoWeight({ ...recipe, ramp: 0 }, 0)).toBe(2);
  });

  it('come from each patch once before any comes again', () => {
    const order = unlabelledOrder(5, 12, 1, 0);
    expect(order.slice(0, 5).toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(order.slice(5, 10).toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(unlabelledOrder(5, 12, 1, 0)).toEqual(order);
    const many = [0, 1].map(epoch => unlabelledOrder(1000, 10, 1, epoch));
    expect(many[0]).not.toEqual(many[1]);
  });
});

/** Pearson's, of two pictures' bytes. */
function correlation(a: Uint8Array, b: Uint8Array): number {
  const mean = (values: Uint8Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - ma, b[i]! - mb];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

describe('unlabelled pictures', () => {
  it('are those of a folder, without masks that lie beside them', async () => {
    const folder = await emptyFolder();
    for (const name of ['b.png', 'a.png', 'a_mask.png']) await writePicture(join(folder, name), 64, 64, 20);
    await writeFile(join(folder, 'notes.txt'), 'none');
    const faults: unknown[] = [];
    const found = await findUnlabelled(folder, 0.5, fault => faults.push(fault));
    expect(found.map(({ imagePath }) => imagePath)).toEqual(['a.png', 'b.png'].map(name => join(folder, name)));
    expect(new Set(found.map(({ id }) => id)).size).toBe(2);
    expect(faults).toEqual([]);
    expect(await findUnlabelled(join(folder, 'b.png'), 0.5, () => undefined)).toHaveLength(1);
    await findUnlabelled(folder, undefined, fault => faults.push(fault));
    expect(faults).toEqual([0, 1].map(() => expect.objectContaining({ code: 'SLIDE_NO_MPP' })));
    await expect(findUnlabelled(join(folder, 'none'), 1, () => undefined)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    await expect(findUnlabelled(await emptyFolder(), 1, () => undefined)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
    });
  });
});

describe('a run with unlabelled pictures', () => {
  let set: string;
  let flags: Readonly<Record<string, unknown>>;
  beforeAll(async () => {
    set = await pictureSet();
    const unlabelled = await pictureSet(3, undefined, 200);
    // One of the labelled set's, under another name.
    await copyFile(join(set, 'images', 'p1.png'), join(unlabelled, 'images', 'known.png'));
    flags = {
      model: await smallBundle(),
      runs: await emptyFolder(),
      unlabelled,
      'pseudo-threshold': 0.52,
      'teacher-decay': 0.5,
      'pseudo-ramp': 2,
      augment: 'rotate,flip,colour,hed',
    };
  });

  const hashOf = async (folder: string) =>
    createHash('sha256')
      .update(await readFile(join(folder, 'last', 'model.safetensors')))
      .digest('hex');
  const linesOf = async (folder: string): Promise<EpochLine[]> =>
    (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map(line => ({ ...JSON.parse(line), seconds: 0, imagesPerSecond: 0 }));

  it('learns from them by a teacher, leaves out those of the set, and goes on to the same result', async () => {
    const given: TrainBatch[][] = [];
    const taught: TrainBatch[] = [];
    const watching: OpenTrainer = async (...options) => {
      const trainer = await createLogisticTrainer(...options);
      const step: typeof trainer.step = (batches, rate, pseudo) => {
        given.push([...(pseudo?.batches ?? [])]);
        expect(batches.map(({ labels }) => labels.length)).toEqual(pseudo?.batches.map(({ labels }) => labels.length));
        return trainer.step(batches, rate, pseudo);
      };
      const teach: typeof trainer.teach = batch => {
        taught.push(batch);
        return trainer.teach(batch);
      };
      return { ...trainer, step, teach };
    };
    const whole = await runTraining(set, { ...flags, name: 'whole' }, undefined, watching);
    expect(whole.errors).toEqual([]);
    expect(whole.lines).toContainEqual('unlabelled 1 pictures are of the set itself: left out');
    expect(whole.lines).toContainEqual(expect.stringMatching(/^unlabelled 12 patches of 3 pictures/));
    const lines = await linesOf(whole.result.folder);
    expect(lines[0]!.unlabelled!.confident).toBeLessThan(lines[2]!.unlabelled!.confident);
    expect(lines.map(({ unlabelled }) => unlabelled!.weight)).toEqual([Math.exp(-1.25), 1, 1]);
    expect(whole.lines).toContainEqual(expect.stringMatching(/^epoch {6}3\/3 .* unlabelled \d+ % sure /));
    expect(given).toHaveLength(9);
    const labels = new Set(given.flat().flatMap(batch => [...new Set(batch.labels)]));
    expect(labels).toEqual(new Set([0, 1, 255]));
    // The network sees other colours than the teacher, and each pixel where the teacher labelled it.
    const shown = given.flat();
    expect(shown).toHaveLength(taught.length);
    for (const [i, { images }] of shown.entries()) {
      expect(images).not.toEqual(taught[i]!.images);
      expect(correlation(images, taught[i]!.images)).toBeGreaterThan(0.9);
    }
    const seen = (await readFile(join(whole.result.folder, 'best', 'seen.sha256'), 'utf8')).trimEnd().split('\n');
    expect(seen).toHaveLength(7 + 3);

    const stop = new AbortController();
    let steps = 0;
    const cutting: OpenTrainer = async (...options) => {
      const trainer = await createLogisticTrainer(...options);
      const step: typeof trainer.step = (...args) => {
        if (++steps === 4) stop.abort();
        return trainer.step(...args);
      };
      return { ...trainer, step };
    };
    expect((await runTraining(set, { ...flags, name: 'cut' }, stop.signal, cutting)).result.status).toBe(130);
    const resumed = await runTraining(set, { ...flags, name: 'cut', readers: 1 });
    expect(resumed.result.status).toBe(0);
    expect(await linesOf(resumed.result.folder)).toEqual(lines);
    expect(await hashOf(resumed.result.folder)).toBe(await hashOf(whole.result.folder));

    const without = await runTraining(set, { ...flags, unlabelled: undefined, name: 'without' });
    expect(await hashOf(without.result.folder)).not.toBe(await hashOf(whole.result.folder));
    expect((await linesOf(without.result.folder))[0]!.unlabelled).toBeUndefined();
  });

  it('takes a slide at its own spacing, whatever that of the labelled images is', async () => {
    // 2220 × 2967 px of 0.499 µm; at the spacing given they would be 35 × 47 patches.
    const counted = async (mpp: number) => {
      const run = {
        ...flags,
        name: `slide-${mpp}`,
        unlabelled: SLIDE,
        mpp,
        spacing: mpp,
        epochs: 1,
        'keep-empty': true,
      };
      const { lines } = await runTraining(set, run);
      return Number(/^unlabelled (\d+) patches of 1 pictures/m.exec(lines.join('\n'))![1]);
    };
    expect(await counted(4)).toBe(5 * 6);
    expect(await counted(2)).toBe(9 * 12);
  });

  it('is not gone on with from other ones, and wants some that show tissue', async () => {
    const other = await pictureSet(2, undefined, 300);
    await expect(runTraining(set, { ...flags, name: 'whole', unlabelled: other })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/from other images, labels or patches/),
    });
    const glass = join(await emptyFolder(), 'images');
    await mkdir(glass, { recursive: true });
    const sharp = (await import('sharp')).default;
    await sharp({ create: { width: 128, height: 128, channels: 3, background: '#f4f4f4' } })
      .png()
      .toFile(join(glass, 'g.png'));
    await expect(runTraining(set, { ...flags, name: 'glass', unlabelled: glass })).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: 'no unlabelled patch shows tissue',
    });
  });
});
