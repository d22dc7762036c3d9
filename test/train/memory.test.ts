import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memory } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import type { EpochLine } from '#src/train/progress.js';
import { runCli } from '../support/cli.js';
import { SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';
import { formulaBatch, formulaTrainer } from '../support/train-batch.js';
import { pictureSet, smallBundle } from './train-set.js';

interface Memory {
  readonly peak: number;
  readonly samples: readonly {
    readonly at: number;
    readonly rss: number;
    readonly heapUsed: number;
    readonly external: number;
  }[];
}

const MIB = 2 ** 20;
let model: string;
let runs: string;
beforeAll(async () => {
  model = await smallBundle();
  runs = await emptyFolder();
});

/** Trains by the command line, one patch of 64 px a step, and tells what memory the process held. */
async function memoryOf(
  set: string,
  name: string,
  epochs: number,
): Promise<{ readonly steps: number; readonly memory: Memory }> {
  const file = join(runs, `${name}.json`);
  const preload = new URL('./peak.mjs', import.meta.url).href;
  const { status, stderr } = await runCli(
    [
      ...['train', set, '--positive', '1', '--ignore', '3', '--mpp', '0.5', '--model', model],
      ...['--effective-batch', '1', '--batch', '1', '--epochs', String(epochs), '--augment', 'rotate,flip,hed'],
      ...['--engine', 'cpu', '--threads', '1', '--readers', '1', '--runs', runs, '--name', name],
    ],
    { NODE_OPTIONS: `--import=${preload}`, PEAK: file },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const lines = (await readFile(join(runs, name, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  const { step } = JSON.parse(lines.at(-1)!) as EpochLine;
  return { steps: step, memory: JSON.parse(await readFile(file, 'utf8')) as Memory };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

it('memory is flat however many steps are taken', async () => {
  // 16 of 20 pictures train, of 4 patches each: 64 steps an epoch.
  const { steps, memory: held } = await memoryOf(await pictureSet(20), 'flat', THOROUGH ? 16 : 4);
  expect(steps).toBeGreaterThan(THOROUGH ? 1000 : 240);
  // The first part loads the network, and has its first validation and checkpoint.
  const [begun, over] = [held.samples[0]!.at, held.samples.at(-1)!.at];
  const part = (from: number, to: number) =>
    held.samples.filter(({ at }) => at >= begun + from * (over - begun) && at < begun + to * (over - begun));
  const [middle, last] = [part(0.5, 0.75), part(0.75, 1)];
  expect(Math.min(middle.length, last.length)).toBeGreaterThan(5);
  for (const what of ['rss', 'heapUsed', 'external'] as const) {
    const grown = median(last.map(sample => sample[what])) - median(middle.map(sample => sample[what]));
    expect(grown / MIB, what).toBeLessThan(32);
  }
});

it('memory does not grow with the set', async () => {
  // As many steps of each: over the first some hundred memory grows with them, on Node 24 more than on Node 20.
  const small = await memoryOf(await pictureSet(6), 'small', THOROUGH ? 32 : 6);
  const large = await memoryOf(await pictureSet(THOROUGH ? 160 : 30), 'large', 1);
  expect(large.steps).toBe(small.steps);
  expect((large.memory.peak - small.memory.peak) / MIB).toBeLessThan(48);
});

it('TensorFlow.js keeps no tensor from one step to the next', async () => {
  const trainer = await formulaTrainer(SMALL, { teacherDecay: 0.9 }, 'tfjs-cpu');
  const batch = formulaBatch(32, 1);
  const counts: number[] = [];
  for (let step = 0; step < (THOROUGH ? 20 : 2); step++) {
    await trainer.step([batch], 1e-3, { batches: [batch], weight: 0.5 });
    await trainer.evaluate(batch);
    await trainer.teach(batch);
    counts.push(memory().numTensors);
  }
  expect(new Set(counts)).toEqual(new Set([counts[0]]));
  await trainer.close();
});
