import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '#src/cli/train-run.js';
import { loadBundle } from '#src/model/bundle.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import type { EpochLine } from '#src/train/progress.js';
import { emptyFolder } from '../support/paths.js';
import { createLogisticTrainer } from './logistic-trainer.mjs';
import { type OpenTrainer, runTraining } from './train-context.js';
import { pictureSet, smallBundle } from './train-set.js';

let set: string;
let model: string;
let runs: string;
beforeAll(async () => {
  set = await pictureSet();
  model = await smallBundle();
  runs = await emptyFolder();
});

const run = (flags: Record<string, unknown>, signal?: AbortSignal, open?: OpenTrainer) =>
  runTraining(set, { model, runs, ...flags }, signal, open);

const linesOf = async ({ folder }: RunResult): Promise<EpochLine[]> =>
  (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));

/** What must be the same of two runs: all but the time they took. */
const timeless = (lines: readonly EpochLine[]) => lines.map(({ seconds: _s, imagesPerSecond: _i, ...line }) => line);
/** SHA-256: comparing megabytes with toEqual takes seconds. */
const weightsOf = async (folder: string, name: string) =>
  createHash('sha256')
    .update(await readFile(join(folder, name, 'model.safetensors')))
    .digest('hex');

describe('a run', () => {
  let plain: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    plain = await run({ name: 'plain' });
  });

  it('learns, and says how', async () => {
    const { result, lines, errors, values } = plain;
    expect(errors).toEqual([]);
    expect(result.status).toBe(0);
    const epochs = await linesOf(result);
    expect(epochs.map(({ epoch, rate }) => [epoch, rate])).toEqual([
      [1, 1e-4],
      [2, 1e-4],
      [3, 1e-5],
    ]);
    expect(epochs.at(-1)!.validation.iou).toBeGreaterThan(0.95);
    expect(epochs[1]!.train.loss).toBeLessThan(epochs[0]!.train.loss);
    expect(lines.filter(line => line.startsWith('epoch '))).toHaveLength(3);
    expect(values.filter(value => (value as { event: string }).event === 'epoch')).toHaveLength(3);
    // 8 pictures of 4 patches: 6, 1 and 1 of them to train, choose and test.
    expect(lines).toContainEqual(expect.stringMatching(/^training {3}24 patches of 6 images/));
    expect(lines).toContainEqual(expect.stringMatching(/^validation 4 patches of 1 images/));
  });

  it('leaves its config, split, curves, pictures and bundles', async () => {
    const { folder, best } = plain.result;
    expect((await readdir(folder)).sort()).toEqual(
      [
        'best',
        'checkpoint.safetensors',
        'config.json',
        'curves.svg',
        'examples',
        'last',
        'metrics.jsonl',
        'split.json',
      ].sort(),
    );
    expect(await readdir(join(folder, 'examples'))).toEqual([1, 2, 3].map(epoch => `epoch-00${epoch}.jpg`));
    expect(await readFile(join(folder, 'curves.svg'), 'utf8')).toMatch(/^<svg xmlns.*IoU/s);
    const bundle = await loadBundle(join(folder, 'best'));
    expect(bundle).toMatchObject({
      name: 'plain',
      spacing: 0.5,
      patchSize: 64,
      version: expect.stringMatching(/^1\.0\.\d/),
    });
    expect(bundle.metrics).toEqual([expect.objectContaining({ metric: 'IoU, micro', value: best!.validation.iou })]);
    // Values that nobody declared count as negative, which a list of values could not say.
    expect(bundle.labels).toBeUndefined();
    const seen = (await readFile(join(folder, 'best', 'seen.sha256'), 'utf8')).trimEnd().split('\n');
    expect(seen).toHaveLength(7);
    const file = await SafetensorsFile.open(join(folder, 'best', 'model.safetensors'));
    expect([...file.tensors.keys()].filter(name => name.startsWith('adam.'))).toEqual([]);
    expect(file.tensors.get('encoder.bn1.num_batches_tracked')).toMatchObject({ dtype: 'I64', shape: [] });
    await file.close();
  });

  it('is over: the same command does nothing', async () => {
    const before = await weightsOf(plain.result.folder, 'last');
    const again = await run({ name: 'plain' });
    expect(again.result.status).toBe(0);
    expect(again.lines.filter(line => line.startsWith('epoch '))).toEqual([]);
    expect(await weightsOf(plain.result.folder, 'last')).toEqual(before);
  });

  it('is not gone on with by other options, which are named', async () => {
    await expect(run({ name: 'plain', loss: 'focal' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('loss was "dice", is "focal"'),
    });
  });

  it('gives the same result wherever it is interrupted', async () => {
    const { result } = plain;
    for (const stopAfter of [1, 4, 6]) {
      const stop = new AbortController();
      let steps = 0;
      const opening: OpenTrainer = async (...options) => {
        const trainer = await createLogisticTrainer(...options);
        const step: typeof trainer.step = (batches, rate) => {
          if (++steps === stopAfter) stop.abort();
          return trainer.step(batches, rate);
        };
        return { ...trainer, step };
      };
      const cut = await run({ name: `cut-${stopAfter}` }, stop.signal, opening);
      expect(cut.result.status).toBe(130);
      const resumed = await run({ name: `cut-${stopAfter}`, readers: 1 });
      expect(resumed.result.status).toBe(0);
      expect(resumed.lines).toContainEqual(expect.stringMatching(/^goes on/));
      expect(timeless(await linesOf(resumed.result))).toEqual(timeless(await linesOf(result)));
      for (const name of ['best', 'last'])
        expect(await weightsOf(resumed.result.folder, name)).toEqual(await weightsOf(result.folder, name));
      await rm(resumed.result.folder, { recursive: true });
    }
  });
});
