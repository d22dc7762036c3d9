import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { epochLine, trainLine } from '#src/cli/train-display.js';
import { recipeOf } from '#src/cli/train-options.js';
import { loadConfig } from '#src/config/load.js';
import { createMetrics } from '#src/status/metrics.js';
import { readCheckpoint, replaceFolder, writeCheckpoint } from '#src/train/checkpoint.js';
import { learningCurves } from '#src/train/curves.js';
import { choosePlaces } from '#src/train/examples.js';
import { BEGINNING, bestOf, type EpochLine, iouOf, isOver } from '#src/train/progress.js';
import { type RunRecipe, rateOf } from '#src/train/recipe.js';
import { emptyFolder } from '../support/paths.js';

const line = (epoch: number, iou: number, loss = 0.5): EpochLine => ({
  ...{ epoch, rate: 1e-4, step: epoch * 3, best: false, seconds: 75, imagesPerSecond: 1.234 },
  train: { loss, iou },
  validation: { loss, iou },
});
const history = [line(1, 0.5, 0.6), line(2, 0.7, 0.4), line(3, 0.7, 0.3)];

it('the first of equal epochs is the best; patience counts from it', () => {
  expect(bestOf({ history })?.epoch).toBe(2);
  expect(bestOf(BEGINNING)).toBeUndefined();
  const progress = { ...BEGINNING, epoch: 3, history };
  expect(isOver(progress, { epochs: 3 })).toBe('epochs');
  expect(isOver(progress, { epochs: 9 })).toBeUndefined();
  expect(isOver(progress, { epochs: 9, patience: 1 })).toBe('patience');
  expect(isOver(progress, { epochs: 9, patience: 2 })).toBeUndefined();
  expect(iouOf({ intersection: 2, predicted: 3, labelled: 4 })).toBeCloseTo(0.4, 12);
  expect(iouOf({ intersection: 0, predicted: 0, labelled: 0 })).toBe(1);
});

it("the study's learning rate: the last ten epochs at a tenth", () => {
  const recipe = { epochs: 25, rate: 1e-4, finalRate: 1e-5, finalEpochs: 10 } as RunRecipe;
  expect([0, 14, 15, 24].map(epoch => rateOf(recipe, epoch))).toEqual([1e-4, 1e-4, 1e-5, 1e-5]);
});

it('a recipe of other lengths has its final epochs in proportion, and never more of them than there are', async () => {
  const recipe = async (flags: Record<string, unknown>) => recipeOf((await loadConfig(flags, {})).config, []);
  expect(await recipe({})).toMatchObject({ epochs: 25, finalEpochs: 10, weightDecay: 0, effectiveBatch: 16, batch: 4 });
  expect(await recipe({ epochs: 5, optimizer: 'adamw' })).toMatchObject({ finalEpochs: 2, weightDecay: 0.01 });
  expect(await recipe({ epochs: 1 })).toMatchObject({ finalEpochs: 0 });
  await expect(recipe({ epochs: 5, 'final-epochs': 6 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('lines for a terminal', () => {
  const now = {
    epoch: 3,
    epochs: 25,
    place: 60,
    patches: 240,
    loss: 0.3119,
    iou: 0.7126,
    perSecond: 1.9,
    etaSeconds: 3725,
  };
  expect(trainLine(now)).toBe(
    'epoch 3/25  █████░░░░░░░░░░░░░░░ 60/240 patches  loss 0.312  IoU 0.713  1.90 images/s  ETA 1:02:05',
  );
  expect(epochLine({ ...line(2, 0.7), best: true }, 25)).toBe(
    'epoch      2/25  training loss 0.500 IoU 0.700  validation loss 0.500 IoU 0.700 *  1.23 images/s, 1:15',
  );
});

it('curves are a picture of their own, also before and after the first epoch', () => {
  for (const part of [[], history.slice(0, 1), history]) {
    const picture = learningCurves(part, 'a <run>');
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="690"/);
    expect(picture).toContain('a &lt;run&gt;');
    expect(picture).not.toContain('NaN');
    expect(picture.match(/<circle/g) ?? []).toHaveLength(4 * part.length);
  }
  expect(learningCurves(history, 'x')).toContain('best: epoch 2, IoU 0.700');
});

it('examples are spread from the least to the most stroma', () => {
  const patches = [0, 40, 10, 30, 0, 20].map(positivePixels => ({
    ...{ item: 0, col: 0, row: 0, labelledPixels: 64 },
    positivePixels,
  }));
  expect(choosePlaces(patches, 4)).toEqual([2, 5, 3, 1]);
  expect(choosePlaces(patches, 2)).toEqual([5, 1]);
  expect(choosePlaces(patches.slice(0, 1))).toEqual([]);
});

it('Prometheus sees a run, and nothing of one elsewhere', async () => {
  const metrics = createMetrics({ version: '1' });
  expect(await metrics.text()).not.toContain('stromaflow_training');
  metrics.training.stepped({ epoch: 2, rate: 1e-4, loss: 0.4, iou: 0.6, images: 48 });
  metrics.training.epoch(line(2, 0.7, 0.5), 0.7);
  const text = await metrics.text();
  for (const value of [
    'stromaflow_training_epoch 2',
    'stromaflow_training_images 48',
    'stromaflow_training_loss{split="train"} 0.4',
    'stromaflow_training_iou_ratio{split="validation"} 0.7',
    'stromaflow_training_best_iou_ratio 0.7',
    'stromaflow_training_learning_rate 0.0001',
  ])
    expect(text).toContain(`${value}\n`);
});

describe('a checkpoint', () => {
  const state = (value: number) => ({
    step: 7,
    tensors: new Map([['w', { name: 'w', shape: [2], values: Float32Array.of(value, 0.1) }]]),
  });
  const progress = {
    epoch: 1,
    place: 3,
    sums: { steps: 2, loss: 0.1 + 0.2, intersection: 1, predicted: 2, labelled: 3 },
    history,
  };

  it('is what was written, to the bit', async () => {
    const folder = await emptyFolder();
    expect(await readCheckpoint(folder)).toBeUndefined();
    await writeCheckpoint(folder, { state: state(1 / 3), progress });
    expect(await readCheckpoint(folder)).toEqual({ state: state(1 / 3), progress });
  });

  it('stays when the next one cannot be written', async () => {
    const folder = await emptyFolder();
    await writeCheckpoint(folder, { state: state(1), progress });
    await expect(writeCheckpoint(folder, { state: state(Number.NaN), progress })).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
    });
    expect((await readCheckpoint(folder))!.state.tensors.get('w')!.values[0]).toBe(1);
    expect(await readdir(folder)).toEqual(['checkpoint.safetensors']);
    // Something is in the way of the file that is written first.
    await mkdir(join(folder, 'checkpoint.safetensors.partial', 'x'), { recursive: true });
    await expect(writeCheckpoint(folder, { state: state(2), progress })).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining(join(folder, 'checkpoint.safetensors')),
    });
    expect((await readCheckpoint(folder))!.state.tensors.get('w')!.values[0]).toBe(1);
  });

  it('of nobody knows what is refused', async () => {
    const folder = await emptyFolder();
    await writeFile(join(folder, 'checkpoint.safetensors'), 'cut off');
    await expect(readCheckpoint(folder)).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  });
});

it('a folder takes the place of another', async () => {
  const folder = await emptyFolder();
  for (const content of ['one', 'two']) {
    await mkdir(join(folder, 'new'));
    await writeFile(join(folder, 'new', 'file'), content);
    await replaceFolder(join(folder, 'new'), join(folder, 'place'));
    expect(await readFile(join(folder, 'place', 'file'), 'utf8')).toBe(content);
    expect(await readdir(folder)).toEqual(['place']);
  }
});
