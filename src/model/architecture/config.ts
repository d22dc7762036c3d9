import { StromaflowError } from '../../errors.js';
import type { InputNormalisation } from '../manifest.js';
import type { Stem } from './decoder/decoder.js';
import { DECODERS, type DecoderConfig, isDecoderName } from './decoder/decoders.js';
import { encoderOf } from './encoder/choose.js';
import { ENCODERS } from './encoder/encoders.js';
import { Options } from './options.js';

/** What segmentation_models_pytorch's config.json says, checked, with its defaults filled in. */
export interface Architecture {
  /** A name in ENCODERS. */
  readonly encoder: string;
  readonly encoderDepth: number;
  /** What images the encoder's own weights were trained on; null where nobody can tell. */
  readonly input: InputNormalisation | null;
  readonly decoder: DecoderConfig;
  readonly classes: number;
  /** What turns logits into probabilities: each class by itself, or all against each other. */
  readonly activation: 'sigmoid' | 'softmax';
}

/** Of torch.onnx.export, in one line. */
const DYNAMIC = "input_names=['image'], dynamic_axes={'image': {0: 'batch'}}";

/** Changes training only, or is answered by the weights themselves. */
const WITHOUT_EFFECT = ['decoder_dropout', 'aux_params'];

/**
 * Reads config.json as smp's `save_pretrained` writes it. Throws MODEL_UNSUPPORTED, by name, for what cannot be run
 * (so that no option is ever silently ignored), MODEL_INVALID for what makes no sense.
 */
export function parseArchitecture(json: unknown, path: string): Architecture {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new StromaflowError('MODEL_INVALID', `${path}: not a JSON object`);
  const options = new Options(json as Record<string, unknown>, path);
  const model = options.take('_model_class', undefined);
  if (!isDecoderName(model))
    throw options.unsupported('_model_class', model, `known: ${Object.keys(DECODERS).join(', ')}`, {
      fix: `export it where it was trained, torch.onnx.export(model, image, 'model.onnx', ${DYNAMIC}), and give model.onnx; see docs/models.md`,
    });

  const { encoder, input } = encoderOf(options);
  const encoderDepth = options.integer('encoder_depth', DECODERS[model].depth ?? 5, 3, 5);
  const classes = options.integer('classes', 1, 1, 255);
  options.oneOf('in_channels', 3, [3]);
  options.oneOf('output_stride', 32, [32]);
  const activation = activationOf(options, classes);
  const stem = stemOf({ encoder, encoderDepth });
  const decoder = { type: model, ...DECODERS[model].parse(options, stem) } as DecoderConfig;
  for (const name of WITHOUT_EFFECT) options.take(name, undefined);
  options.refuseTheRest();
  return { encoder, encoderDepth, input, decoder, classes, activation };
}

/** The encoder as its decoder sees it. */
export function stemOf({ encoder, encoderDepth }: Pick<Architecture, 'encoder' | 'encoderDepth'>): Stem {
  return { name: encoder, encoder: ENCODERS.get(encoder)!, depth: encoderDepth };
}

function activationOf(options: Options, classes: number): Architecture['activation'] {
  const allowed = [null, 'identity', 'sigmoid', 'softmax', 'softmax2d', 'logsoftmax'];
  const name = options.oneOf('activation', null, allowed);
  // Without an activation the training loss decides; one class can only mean sigmoid, several usually exclude each other.
  if (name === null || name === 'identity') return classes === 1 ? 'sigmoid' : 'softmax';
  if (name === 'sigmoid') return 'sigmoid';
  if (classes === 1) throw options.unsupported('activation', name, 'softmax over one class is always 1');
  return 'softmax';
}
