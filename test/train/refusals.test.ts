import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Split } from '#src/evaluate/split.js';
import { runError } from '#src/train/run-error.js';
import { RunFolder } from '#src/train/run-folder.js';
import { writeMask } from '../evaluate/set-builder.js';
import { runCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';
import { createLogisticTrainer } from './logistic-trainer.mjs';
import { type OpenTrainer, runTraining } from './train-context.js';
import { pictureSet, smallBundle, writePicture } from './train-set.js';

let set: string;
let model: string;
let runs: string;
beforeAll(async () => {
  set = await pictureSet(6);
  model = await smallBundle();
  runs = await emptyFolder();
});

const DATA = ['--positive', '1', '--ignore', '3', '--mpp', '0.5'];

/** The one line that the command line ends with. */
async function refusal(folder: string, ...more: string[]): Promise<string> {
  const { status, stderr } = await runCli([
    'train',
    folder,
    '--engine',
    'cpu',
    '--runs',
    runs,
    '--model',
    model,
    ...more,
  ]);
  expect(status).not.toBe(0);
  const lines = stderr.trimEnd().split('\n');
  expect(lines, stderr).toHaveLength(1);
  return lines[0]!;
}

describe('what cannot be trained on is refused in a line', () => {
  it('a set without a positive pixel', async () => {
    const line = await refusal(set, '--positive', '2', '--ignore', '3', '--mpp', '0.5');
    expect(line).toMatch(/the training split has no positive pixel \[LABELS_INVALID\] look at the label map/);
  });

  it('a label map that fits no mask', async () => {
    const folder = await pictureSet(1);
    const line = await refusal(folder, '--positive', '1', '--negative', '2', '--mpp', '0.5', '--strict');
    expect(line).toMatch(/p0\.png: label value 0, 3 is not declared \[LABELS_INVALID\]/);
    const many = await refusal(await pictureSet(4), '--positive', '1', '--negative', '2', '--mpp', '0.5');
    expect(many).toMatch(
      /none of its 4 images can be used: .*p0\.png: label value 0, 3 is not declared \[LABELS_INVALID\] declare it/,
    );
  });

  it('images that are left out for one reason are one line', async () => {
    const folder = await pictureSet(8);
    for (const name of ['p0', 'p1', 'p2'])
      await writeMask(join(folder, 'masks', `${name}.png`), 128, 128, x => (x < 30 ? 1 : 77));
    await writeMask(join(folder, 'masks', 'p3.png'), 64, 100, () => 1);
    const { result, errors } = await runTraining(folder, { model, runs, name: 'left-out', epochs: 1 });
    expect(result.status).toBe(1);
    expect(errors).toEqual([
      expect.stringMatching(/p0\.png: label value 77 is not declared .* \(and so of 2 others\)\n$/),
      expect.stringMatching(/p3\.png: .*\[LABELS_INVALID\]/),
    ]);
  });

  it('an image smaller than a patch, unless it may be filled up', async () => {
    const folder = await pictureSet(6);
    await writePicture(join(folder, 'images', 'small.png'), 60, 100, 30);
    await writeMask(join(folder, 'masks', 'small.png'), 60, 100, x => (x < 30 ? 1 : 0));
    const line = await refusal(folder, ...DATA);
    expect(line).toMatch(/small\.png \(60 × 100\) pixels: smaller than a patch of 64 \[LABELS_INVALID\] .*--pad-small/);
    const { result } = await runTraining(folder, { model, runs, name: 'padded', 'pad-small': true, epochs: 1 });
    expect(result.status).toBe(0);
  });

  it('an encoder of another architecture', async () => {
    const other = join(await makeBundle({ config: SMALL }), 'model.safetensors');
    const { status, stderr } = await runCli(['train', set, ...DATA, '--runs', runs, '--encoder-weights', other]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^stromaflow: .*model\.safetensors is no encoder resnet34: tensor encoder\.layer1\.2.* is missing \[MODEL_TENSOR\] .*\n$/,
    );
    const weights = async (path: string) => (await runCli(['train', set, ...DATA, '--encoder-weights', path])).stderr;
    expect(await weights(model)).toMatch(
      /^stromaflow: \S+ is no file \[MODEL_INVALID\] give the \.safetensors file itself\n$/,
    );
    expect(await weights('none.safetensors')).toMatch(
      /^stromaflow: none\.safetensors cannot be opened \[MODEL_NOT_FOUND\] give --encoder-weights a \.safetensors file\n$/,
    );
  });

  it('a split of another set, and one of other patches', async () => {
    const { result } = await runTraining(set, { model, runs, name: 'for-split', split: 'patch', epochs: 1 });
    const line = await refusal(await pictureSet(3), ...DATA, '--split', result.split);
    expect(line).toMatch(
      /was made of another set: 3 of the 6 images it names are not here, such as p3 \[LABELS_INVALID\]/,
    );
    expect(await refusal(set, ...DATA, '--split', result.split, '--patch-size', '96')).toMatch(
      /splits patches of 64 px at 0\.5 µm\/px, not of 96 px/,
    );
    const split = JSON.parse(await readFile(result.split, 'utf8')) as Split;
    const other = join(await emptyFolder(), 'split.json');
    const foreign = Object.fromEntries(Object.entries(split.images).map(([id, image]) => [`q${id}`, image]));
    await writeFile(other, JSON.stringify({ ...split, images: foreign }));
    expect(await refusal(set, ...DATA, '--split', other)).toMatch(
      /another set: 6 of the 6 images it names are not here/,
    );
    const images = { ...split.images, p0: { ...split.images['p0'], cols: 3, patches: 'tttttt' } };
    await writeFile(other, JSON.stringify({ ...split, images }));
    expect(await refusal(set, ...DATA, '--split', other)).toMatch(
      /the split has 3 × 2 patches for p0, which has 2 × 2/,
    );
  });

  it('unlabelled slides that are not there', async () => {
    expect(await refusal(set, ...DATA, '--unlabelled', 'none')).toMatch(
      /none: no such file or folder \[FILE_NOT_FOUND\]/,
    );
  });

  it('a disk without room for the run', async () => {
    const folder = await RunFolder.open(join(runs, 'full'), false);
    await expect(folder.checkSpace(2 ** 50)).rejects.toMatchObject({
      code: 'OUTPUT_FULL',
      message: expect.stringMatching(/full: a run needs \d+ MB, \d+ MB are free$/),
    });
    await folder.checkSpace(1000);
    await folder.close();
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    expect(runError(full, 'runs/full').line).toMatch(
      /^runs\/full: no space left on device \[OUTPUT_FULL\] free space on the disk of --runs; the same command goes on/,
    );
  });

  it('a batch that does not divide a step, and a folder that another run uses', async () => {
    expect(await refusal(set, ...DATA, '--batch', '3')).toMatch(/--effective-batch 16 is no multiple of --batch 3/);
    expect(await refusal(set, ...DATA, '--name', '../elsewhere')).toMatch(/--name \.\.\/elsewhere is a path \[USAGE\]/);
    const folder = await RunFolder.open(join(runs, 'taken'), false);
    expect(await refusal(set, ...DATA, '--name', 'taken')).toMatch(/taken: used by process \d+ .*\[USAGE\]/);
    await folder.close();
  });
});

describe('training that diverges', () => {
  /** From this step on the loss is something else. */
  const losing =
    (from: number, loss: number): OpenTrainer =>
    async (...options) => {
      const trainer = await createLogisticTrainer(...options);
      let steps = 0;
      return {
        ...trainer,
        step: async (batches, rate) => {
          const result = await trainer.step(batches, rate);
          return ++steps >= from ? { ...result, loss } : result;
        },
      };
    };

  it('by a loss that is no number stops, and keeps the last good state', async () => {
    const flags = { model, runs, name: 'nan' };
    const attempt = runTraining(set, flags, undefined, losing(4, Number.NaN));
    await expect(attempt).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
      message: 'training diverged: the loss is NaN in epoch 2, step 2',
    });
    const lines = (await readFile(join(runs, 'nan', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    const again = await runTraining(set, flags);
    expect(again.lines).toContainEqual(expect.stringMatching(/^goes on {4}at epoch 2, patch 0$/));
    expect(again.result.status).toBe(0);
  });

  it('by a loss that grows beyond bounds stops too', async () => {
    const attempt = runTraining(set, { model, runs, name: 'grows' }, undefined, losing(3, 1e6));
    await expect(attempt).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
      message: expect.stringMatching(/the loss of epoch 2 is 1\.00e\+6, that of the first was 0\.\d+/),
    });
  });

  it('by weights that are no numbers leaves the checkpoint before', async () => {
    const breaking: OpenTrainer = async (...options) => {
      const trainer = await createLogisticTrainer(...options);
      let saves = 0;
      return {
        ...trainer,
        save: async () => {
          const state = await trainer.save();
          if (++saves > 1) state.tensors.get('segmentation_head.0.bias')!.values[0] = Number.POSITIVE_INFINITY;
          return state;
        },
      };
    };
    await expect(runTraining(set, { model, runs, name: 'infinite' }, undefined, breaking)).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
      message: 'training diverged: segmentation_head.0.bias holds Infinity at 0',
    });
    const again = await runTraining(set, { model, runs, name: 'infinite' });
    expect(again.lines).toContainEqual(expect.stringMatching(/^goes on {4}at epoch 2/));
  });
});

describe('a run', () => {
  it('ends early where nothing gets better', async () => {
    const { lines, result } = await runTraining(set, {
      model,
      runs,
      name: 'patient',
      'learning-rate': 0,
      'final-rate': 0,
      patience: 2,
      epochs: 20,
    });
    expect(lines.filter(line => line.startsWith('epoch '))).toHaveLength(3);
    expect(lines).toContainEqual(expect.stringMatching(/^early/));
    expect(result).toMatchObject({ status: 0, epochs: 3, best: { epoch: 1 } });
  });

  it('that is interrupted while its patches are looked at says so', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(runTraining(set, { model, runs, name: 'early' }, stop.signal)).rejects.toMatchObject({
      code: 'INTERRUPTED',
    });
  });

  it('begins anew when asked to', async () => {
    const flags = { model, runs, name: 'anew', epochs: 1 };
    await runTraining(set, { ...flags, epochs: 2 });
    await expect(runTraining(set, flags)).rejects.toMatchObject({ code: 'USAGE' });
    const { result } = await runTraining(set, { ...flags, fresh: true });
    expect(result).toMatchObject({ status: 0, epochs: 1 });
  });

  it('is not gone on with on other images', async () => {
    const folder = await pictureSet(6);
    const flags = { model, runs, name: 'changed', epochs: 1 };
    await runTraining(folder, flags);
    await writePicture(join(folder, 'images', 'p0.png'), 128, 128, 100);
    await expect(runTraining(folder, flags)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/begun otherwise: from other images, labels or patches$/),
    });
  });
});
