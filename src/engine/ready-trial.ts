import { StromaflowError } from '../errors.js';
import type { ModelBundle } from '../model/bundle.js';
import type { ReadyOnnx } from '../model/onnx/ready.js';
import type { EngineBackend } from './backend.js';
import { extremeImages } from './extreme-images.js';
import { firstLine } from './first-line.js';

const TRIAL_SIDE = 64;
const PICTURES = ['noise', 'white', 'black'] as const;

/**
 * Asks a ready graph what cannot be read in it: whether its map is as large as the image, and whether its scores are what they are taken for. Logits
 * that are never below 0, not even on white or on black, would be a mask that is all stroma.
 *
 * @throws MODEL_UNSUPPORTED for maps of another size, MODEL_INVALID for scores of another kind
 */
export async function tryReady(
  { name, scores, outputs, assumed }: Pick<ModelBundle, 'name' | 'scores' | 'outputs' | 'assumed'>,
  { fixedSide, output }: Pick<ReadyOnnx, 'fixedSide' | 'output'>,
  evaluate: EngineBackend['evaluate'],
): Promise<void> {
  const side = fixedSide ?? TRIAL_SIDE;
  const pictures = extremeImages(side);
  let [lowest, highest] = [Infinity, -Infinity];
  for (const picture of PICTURES) {
    const [map] = await evaluate(pictures.get(picture)!.pixels, side, side);
    const { shape, values } = map!;
    if (shape.join() !== [1, outputs, side, side].join())
      throw new StromaflowError(
        'MODEL_UNSUPPORTED',
        `${name}: ${output.name} is [${shape.join(', ')}] for an image of ${side} × ${side} pixels, not [1, ${outputs}, ${side}, ${side}]`,
        { fix: 'export the model with a last step that enlarges its map to the size of the image' },
      );
    // What overflows is found where it is looked for, and says nothing of what scores are.
    if (!values.every(Number.isFinite)) return;
    for (const value of values) {
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    }
    const settled = scores.of === 'logits' ? lowest < 0 || !assumed.includes('output') : true;
    if (settled) break;
  }
  const range = `${lowest.toPrecision(3)} to ${highest.toPrecision(3)}`;
  if (scores.of === 'probabilities' && (lowest < -SLACK || highest > 1 + SLACK))
    throw new StromaflowError('MODEL_INVALID', `${name}: its probabilities are ${range}, not 0 to 1`, {
      fix: 'say "output": "logits" in stromaflow.json if that is what they are',
    });
  if (scores.of === 'logits' && assumed.includes('output') && lowest >= 0)
    throw new StromaflowError('MODEL_INVALID', `${name}: scores of noise, white and black are ${range}, none below 0`, {
      fix: 'say in stromaflow.json what they are: "output": "probabilities", or "logits" if they are logits all the same',
    });
}

/** An engine that can run anything refuses a ready graph: the graph is at fault, not the machine. */
export function refusedGraph(
  { name, outputs }: Pick<ModelBundle, 'name' | 'outputs'>,
  cause: unknown,
): StromaflowError {
  const classes = outputs === 1 ? 'one class' : `${outputs} classes`;
  const message = `${name}: cannot be run with a map of ${classes}: ${firstLine(cause)}`;
  return new StromaflowError('MODEL_UNSUPPORTED', message, {
    cause,
    fix: 'list a class for each channel of its map in stromaflow.json; onnx.checker says whether the file itself is sound',
  });
}

/** Rounding, and half a step of 8 bits. */
const SLACK = 1 / 255;
