import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { foreignSamples, SAMPLES_FIX } from '../codec/image/sample-format.js';
import { StromaflowError } from '../errors.js';
import { encodeNpy } from '../model/npy.js';
import { type EvaluateOptions, type Evaluation, evaluateImage } from './evaluate.js';
import type { RgbImage } from './rgb-image.js';

/**
 * Runs a model on a picture and writes its logits as NumPy's .npy, float32 [1, classes, height, width], so that parity
 * with PyTorch can be checked. A ready graph that ends in a sigmoid or softmax gives its probabilities instead.
 * Throws what evaluateImage throws, FILE_NOT_FOUND for a picture that cannot be read, SLIDE_UNSUPPORTED for one of other samples, OUTPUT_FAILED for the file.
 */
export async function runOnImage(
  model: string,
  image: string,
  logits: string,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const evaluation = await evaluateImage(model, await readRgb(image), options);
  const { values, shape } = evaluation.outputs[0]!;
  await writeFile(logits, encodeNpy(values, shape)).catch(cause => {
    throw new StromaflowError('OUTPUT_FAILED', `${logits} cannot be written`, { cause });
  });
  return evaluation;
}

/** The pixels of a PNG, JPEG, WebP or TIFF picture of 8 bits a sample as RGB; transparency over white, colours as stored. */
export async function readRgb(path: string): Promise<RgbImage> {
  try {
    const foreign = foreignSamples(await sharp(path).metadata());
    if (foreign !== undefined)
      throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${foreign}`, { fix: SAMPLES_FIX });
    const image = sharp(path).flatten({ background: '#fff' }).toColourspace('srgb');
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return { pixels: new Uint8Array(data), width: info.width, height: info.height };
  } catch (cause) {
    if (cause instanceof StromaflowError) throw cause;
    throw new StromaflowError('FILE_NOT_FOUND', `${path} cannot be read as a picture`, { cause });
  }
}
