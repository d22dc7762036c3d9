import type { EngineName } from '#src/engine/catalogue.js';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { IMAGENET } from '#src/model/manifest.js';
import { createTrainer, type TrainBatch, type Trainer, type TrainRecipe } from '#src/train/trainer.js';
import { formulaWeights, hashed } from './formula-weights.js';

/** The batch of test/golden/train_golden.py: pixels in blobs of 8 px with grain, labels in blocks of 16, one in six ignored. */
export function formulaBatch(size: number, patches = 2): TrainBatch {
  const area = size * size;
  const grain = hashed('grain', patches * area * 3);
  const blobs = hashed('blobs', (patches * area * 3) / 64);
  const kinds = hashed('labels', (patches * area) / 256);
  const images = new Uint8Array(patches * area * 3);
  const labels = new Uint8Array(patches * area);
  const value = [0, 0, 0, 1, 1, 255];
  for (let i = 0; i < labels.length; i++) {
    const [patch, row, column] = [Math.floor(i / area), Math.floor((i % area) / size), i % size];
    const at = (block: number) =>
      (patch * (size / block) + Math.floor(row / block)) * (size / block) + Math.floor(column / block);
    labels[i] = value[Math.floor((kinds[at(16)]! + 1) * 3)]!;
    for (let c = 0; c < 3; c++)
      images[i * 3 + c] = Math.floor(128 + 90 * blobs[at(8) * 3 + c]! + 30 * grain[i * 3 + c]!);
  }
  return { size, images, labels };
}

export const RECIPE: TrainRecipe = {
  loss: 'dice',
  optimizer: 'adam',
  weightDecay: 0,
  frozen: [],
  normStatistics: 'batch',
  threads: 2,
  seed: 1,
};

/** A trainer of formula weights; the head's are a tenth, as in test/golden/train_golden.py. */
export async function formulaTrainer(
  config: Readonly<Record<string, unknown>>,
  recipe: Partial<TrainRecipe> = {},
  engine: EngineName = 'cpu',
): Promise<Trainer> {
  const graph = buildNetwork(parseArchitecture(config, 'config.json'));
  const read = async (name: string) => {
    const values = formulaWeights(name, graph.parameters.get(name)!) as Float32Array<ArrayBuffer>;
    return name === 'segmentation_head.0.weight' ? values.map(value => Math.fround(0.1) * value) : values;
  };
  return createTrainer({ graph, source: { read }, input: IMAGENET }, { ...RECIPE, ...recipe }, { engine });
}
