import { IMAGENET, type InputNormalisation } from '../../manifest.js';
import type { Options } from '../options.js';
import { ENCODERS } from './encoders.js';

/** What config.json says of the encoder. */
export interface EncoderChoice {
  /** A name in ENCODERS. */
  readonly encoder: string;
  /** What images its own weights were trained on; null where the name does not tell. */
  readonly input: InputNormalisation | null;
}

/** Throws MODEL_UNSUPPORTED for an encoder that cannot be run, with what is known of it and how to bring it all the same. */
export function encoderOf(options: Options): EncoderChoice {
  const name = options.take('encoder_name', 'resnet34');
  const weights = options.take('encoder_weights', null);
  const [bare, tag] = typeof name === 'string' ? nameAndTag(name) : [];
  if (bare === undefined || !ENCODERS.has(bare)) throw unknown(options, name);
  return { encoder: bare, input: inputOf(bare, tag, weights) };
}

/** timm's names may say which weights: 'tu-resnet50.a1_in1k'. */
function nameAndTag(name: string): [string, string | undefined] {
  const at = name.startsWith('tu-') ? name.indexOf('.') : -1;
  return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}

/** RGB from −1 to 1: what TensorFlow's networks were trained on, where they were not on ImageNet's statistics. */
const HALF: InputNormalisation = { range: [0, 1], mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** timm's tags of weights that were trained so; all other tags of the encoders in ENCODERS were on ImageNet's. */
const HALF_TAG = /^(ap_|ra4_)/;

function inputOf(name: string, tag: string | undefined, weights: unknown): InputNormalisation | null {
  if (/^(tu|timm)-tf_efficientnet_lite/.test(name)) return HALF;
  if (tag !== undefined) return HALF_TAG.test(tag) ? HALF : IMAGENET;
  // Weights without a tag are those that timm holds best: of this encoder once one kind, later the other.
  if (name === 'tu-efficientnet_b1') return null;
  return weights === 'advprop' ? HALF : IMAGENET;
}

/** What is known of encoders that are not run. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^tu-tf_efficientnetv2|inception|xception/, 'its own weights were trained on RGB from −1 to 1: mean and std 0.5'],
  [/mobilevit/, 'its own weights were trained on RGB from 0 to 1: mean 0, std 1'],
  [/^dpn/, 'its own weights were trained on mean [0.486, 0.459, 0.408] and std 0.235'],
  [/^(tu|timm)-/, 'timm tells the mean and std of its own weights: timm.get_pretrained_cfg(name)'],
];

/** By what names begin with. */
const FAMILIES =
  'resnet, resnext, vgg, se_resnet, se_resnext, densenet, mobilenet_v2, efficientnet-b, timm-efficientnet-b, mit_b, and what is the same as timm has it (tu-)';

function unknown(options: Options, name: unknown) {
  const known = typeof name === 'string' ? OTHERS.find(([pattern]) => pattern.test(name))?.[1] : undefined;
  const reason = known ? `${known}; run are ${FAMILIES}` : `run are ${FAMILIES}`;
  const exported =
    "torch.onnx.export(model, image, 'model.onnx', dynamic_axes={'image': {0: 'batch'}}, input_names=['image'])";
  return options.unsupported('encoder_name', name, reason, {
    fix: `export it where it was trained, ${exported}, and give model.onnx, with its "input" in stromaflow.json; docs/models.md lists all names`,
  });
}
