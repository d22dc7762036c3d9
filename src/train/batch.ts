import { StromaflowError } from '../errors.js';
import { STEP } from '../model/gradient/step.js';
import type { InputNormalisation } from '../model/manifest.js';
import type { TrainBatch } from './port.js';

/** Patches of a batch. Throws USAGE for sizes that do not fit together. */
export function patchesOf({ size, images, labels }: TrainBatch): number {
  const patches = labels.length / (size * size);
  if (!Number.isInteger(patches) || patches === 0 || images.length !== 3 * labels.length || size % 32 !== 0)
    throw new StromaflowError(
      'USAGE',
      `a batch of ${images.length} bytes of pixels and ${labels.length} labels is not one of whole patches of ${size} px`,
      { fix: 'patches are square, their side a multiple of 32' },
    );
  return patches;
}

/** What programs read of a batch: normalised pixels [N, 3, S, S], stroma and counted pixels [N, 1, S, S]. */
export function inputsOfBatch(batch: TrainBatch, input: InputNormalisation): Map<string, Float32Array> {
  const { size, images, labels } = batch;
  const area = size * size;
  const pixels = new Float32Array(images.length);
  const scale = input.std.map(deviation => input.range[1] / 255 / deviation);
  const shift = input.mean.map((value, c) => -value / input.std[c]!);
  for (let patch = 0; patch < patchesOf(batch); patch++)
    for (let c = 0; c < 3; c++) {
      const [a, b] = [scale[c]!, shift[c]!];
      let to = (patch * 3 + c) * area;
      for (let from = patch * area * 3 + c, last = from + area * 3; from < last; from += 3)
        pixels[to++] = images[from]! * a + b;
    }
  const truth = new Float32Array(labels.length);
  const valid = new Float32Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) truth[i] = 1;
    if (labels[i] !== IGNORED) valid[i] = 1;
  }
  return new Map([
    [STEP.images, pixels],
    [STEP.truth, truth],
    [STEP.valid, valid],
  ]);
}

const IGNORED = 255;
