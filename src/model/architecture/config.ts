import { StromaflowError, shown } from '../../errors.js';
import { EPSILON } from '../graph/builder.js';
import type { Interpolation } from '../graph/graph.js';
import { RESNETS } from './resnet.js';
import { UNET_NORM, type UnetNorm } from './unet.js';
import { VGGS, type Vgg } from './vgg.js';

/** What segmentation_models_pytorch's config.json says, checked, with its defaults filled in. */
export interface Architecture {
  readonly encoder: keyof typeof RESNETS | Vgg;
  readonly encoderDepth: number;
  readonly decoder: FpnConfig | UnetConfig;
  readonly classes: number;
  /** What turns logits into probabilities: each class by itself, or all against each other. */
  readonly activation: 'sigmoid' | 'softmax';
}

export interface FpnConfig {
  readonly type: 'FPN';
  readonly pyramidChannels: number;
  readonly segmentationChannels: number;
  readonly merge: 'add' | 'cat';
  readonly interpolation: Interpolation;
  readonly upsampling: number;
}

export interface UnetConfig {
  readonly type: 'Unet';
  readonly channels: readonly number[];
  readonly norm: UnetNorm;
  readonly attention: 'scse' | null;
  readonly interpolation: Interpolation;
}

/** Changes training only, or is answered by the weights themselves. */
const WITHOUT_EFFECT = ['encoder_weights', 'decoder_dropout', 'aux_params'];

/**
 * Reads config.json as smp's `save_pretrained` writes it. Throws MODEL_UNSUPPORTED, by name, for what cannot be run
 * (so that no option is ever silently ignored), MODEL_INVALID for what makes no sense.
 */
export function parseArchitecture(json: unknown, path: string): Architecture {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new StromaflowError('MODEL_INVALID', `${path}: not a JSON object`);
  const options = new Options(json as Record<string, unknown>, path);
  const model = options.take('_model_class', undefined);
  if (model !== 'FPN' && model !== 'Unet') throw options.unsupported('_model_class', model);

  const encoder = options.oneOf('encoder_name', 'resnet34', [
    ...Object.keys(RESNETS),
    ...VGGS,
  ]) as Architecture['encoder'];
  const encoderDepth = options.integer('encoder_depth', 5, 3, 5);
  const classes = options.integer('classes', 1, 1, 255);
  options.oneOf('in_channels', 3, [3]);
  options.oneOf('output_stride', 32, [32]);
  const activation = activationOf(options, classes);
  const decoder = model === 'FPN' ? fpnConfig(options, encoderDepth) : unetConfig(options, encoderDepth);
  for (const name of WITHOUT_EFFECT) options.take(name, undefined);
  options.refuseTheRest();
  return { encoder, encoderDepth, decoder, classes, activation };
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

function fpnConfig(options: Options, encoderDepth: number): FpnConfig {
  const segmentationChannels = options.integer('decoder_segmentation_channels', 128, 32, 4096);
  if (segmentationChannels % 32 !== 0)
    throw options.unsupported('decoder_segmentation_channels', segmentationChannels, 'GroupNorm makes 32 groups');
  const upsampling = options.integer('upsampling', 4, 1, 32);
  // The decoder's output has the size of the fourth last feature; the mask must have the patch's.
  if (upsampling !== 2 ** (encoderDepth - 3))
    throw options.unsupported(
      'upsampling',
      upsampling,
      `with encoder_depth ${encoderDepth} the mask is not of the patch's size`,
    );
  return {
    type: 'FPN',
    pyramidChannels: options.integer('decoder_pyramid_channels', 256, 1, 4096),
    segmentationChannels,
    merge: options.oneOf('decoder_merge_policy', 'add', ['add', 'cat']) as 'add' | 'cat',
    interpolation: interpolationOf(options),
    upsampling,
  };
}

function unetConfig(options: Options, encoderDepth: number): UnetConfig {
  const channels = options.take('decoder_channels', [256, 128, 64, 32, 16]);
  if (
    !Array.isArray(channels) ||
    channels.length !== encoderDepth ||
    !channels.every(n => Number.isInteger(n) && n > 0)
  )
    throw options.invalid(
      'decoder_channels',
      channels,
      `${encoderDepth} positive numbers are needed, one an encoder stage`,
    );
  const attention = options.oneOf('decoder_attention_type', null, [null, 'scse']) as 'scse' | null;
  if (attention && channels.some(n => n < 16))
    throw options.unsupported('decoder_channels', channels, 'scse attention squeezes fewer than 16 channels to none');
  return { type: 'Unet', channels, norm: normOf(options), attention, interpolation: interpolationOf(options) };
}

function interpolationOf(options: Options): Interpolation {
  const names = ['nearest', 'nearest-exact', 'area', 'bilinear', 'bicubic'];
  const name = options.oneOf('decoder_interpolation', 'nearest', names);
  return name === 'bilinear' || name === 'bicubic' ? name : 'nearest';
}

function normOf(options: Options): UnetNorm {
  // Up to smp 0.4 the option was a boolean of another name.
  const value = options.take('decoder_use_norm', options.take('decoder_use_batchnorm', 'batchnorm'));
  const unsupported = (reason?: string) => options.unsupported('decoder_use_norm', value, reason);
  if (value === true) return UNET_NORM;
  if (value === false) return { type: 'identity' };
  const given = typeof value === 'string' ? { type: value.toLowerCase() } : value;
  if (typeof given !== 'object' || given === null) throw unsupported();
  const { type, eps = EPSILON, affine, momentum, ...rest } = given as Record<string, unknown>;
  if (typeof eps !== 'number' || !(eps > 0)) throw unsupported('eps must be positive');
  const [other] = Object.keys(rest);
  if (other !== undefined) throw unsupported(`its option ${other} is not known`);
  if (type === 'identity') return { type };
  if (type === 'instancenorm' && affine === true) return { type, epsilon: eps };
  if (type === 'instancenorm') throw unsupported('smp makes it with "affine": true only');
  if (type === 'batchnorm' && affine !== false) return { type, epsilon: eps };
  throw unsupported();
}

/** The options still unread, and how to complain about one. */
class Options {
  readonly #values: Map<string, unknown>;
  readonly #path: string;

  constructor(json: Record<string, unknown>, path: string) {
    this.#values = new Map(Object.entries(json));
    this.#path = path;
  }

  take(name: string, otherwise: unknown): unknown {
    const value = this.#values.has(name) ? this.#values.get(name) : otherwise;
    this.#values.delete(name);
    return value;
  }

  integer(name: string, otherwise: number, min: number, max: number): number {
    const value = this.take(name, otherwise);
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
      throw this.invalid(name, value, `a whole number from ${min} to ${max} is needed`);
    return value as number;
  }

  oneOf(name: string, otherwise: unknown, allowed: readonly unknown[]): unknown {
    const value = this.take(name, otherwise);
    if (!allowed.includes(value)) throw this.unsupported(name, value, `known: ${allowed.map(String).join(', ')}`);
    return value;
  }

  refuseTheRest(): void {
    for (const [name, value] of this.#values) if (!name.startsWith('_')) throw this.unsupported(name, value);
  }

  unsupported(name: string, value: unknown, reason?: string): StromaflowError {
    return new StromaflowError('MODEL_UNSUPPORTED', this.#line(name, value, 'is not supported', reason));
  }

  invalid(name: string, value: unknown, reason: string): StromaflowError {
    return new StromaflowError('MODEL_INVALID', this.#line(name, value, 'is wrong', reason));
  }

  #line(name: string, value: unknown, verdict: string, reason?: string): string {
    return `${this.#path}: ${name} ${value === undefined ? '(absent)' : shown(value)} ${verdict}${reason ? ` (${reason})` : ''}`;
  }
}
