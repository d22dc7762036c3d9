import { describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { inputsOf } from '#src/model/graph/graph.js';
import { IMAGENET } from '#src/model/manifest.js';

const parse = (config: Record<string, unknown>) => parseArchitecture(config, 'config.json');
const network = (config: Record<string, unknown>) => buildNetwork(parse(config));
const FPN = { _model_class: 'FPN' };
const UNET = { _model_class: 'Unet' };

describe('networks', () => {
  // Counted in PyTorch: parameters and batch-norm statistics of smp's models.
  test.each([
    ['FPN/ResNet34', { ...FPN, encoder_name: 'resnet34' }, 23_172_417],
    ['U-Net/ResNet34', { ...UNET, encoder_name: 'resnet34' }, 24_455_377],
    ['U-Net/VGG16', { ...UNET, encoder_name: 'vgg16' }, 23_752_273],
    ['U-Net/VGG16 with batch norm', { ...UNET, encoder_name: 'vgg16_bn' }, 23_769_169],
    ['U-Net/ResNeXt50', { ...UNET, encoder_name: 'resnext50_32x4d' }, 32_063_185],
    ['U-Net/SE-ResNeXt50', { ...UNET, encoder_name: 'se_resnext50_32x4d' }, 34_594_177],
    ['U-Net/MobileNetV2', { ...UNET, encoder_name: 'mobilenet_v2' }, 6_665_041],
    ['FPN/DenseNet121', { ...FPN, encoder_name: 'densenet121' }, 9_383_361],
    ['FPN/Mix Transformer b0', { ...FPN, encoder_name: 'mit_b0' }, 5_075_425],
    ['FPN/Mix Transformer b5', { ...FPN, encoder_name: 'mit_b5' }, 83_330_113],
  ])('%s has as many weights as in PyTorch', (_, config, expected) => {
    const { parameters } = network(config);
    const count = [...parameters.values()].reduce((sum, shape) => sum + shape.reduce((n, size) => n * size, 1), 0);
    expect(count).toBe(expected);
  });

  test.each([
    ['FPN', { ...FPN, classes: 4 }],
    ['FPN of depth 3', { ...FPN, encoder_depth: 3, upsampling: 1, classes: 4 }],
    ['U-Net', { ...UNET, classes: 4 }],
    ['U-Net over VGG', { ...UNET, encoder_name: 'vgg13', classes: 4 }],
  ])('%s ends with a logit a class and pixel, and runs in the order recorded', (_, config) => {
    const graph = network(config);
    expect(graph.output).toMatchObject({ channels: 4, stride: 1 });
    graph.nodes.forEach((node, id) => {
      for (const input of inputsOf(node)) expect(input.id).toBeLessThan(id);
    });
  });

  test('layers carry the names and sizes of PyTorch modules', () => {
    const { layers } = network({ ...FPN, encoder_name: 'resnet34' });
    expect(layers.get('encoder.layer4')).toMatchObject({ channels: 512, stride: 32 });
    expect(layers.get('decoder.p2')).toMatchObject({ channels: 256, stride: 4 });
    expect(layers.get('decoder')).toMatchObject({ channels: 128, stride: 4 });
  });
});

describe('config.json', () => {
  test("absent options have smp's defaults", () => {
    expect(parse(FPN)).toEqual({
      encoder: 'resnet34',
      encoderDepth: 5,
      input: IMAGENET,
      classes: 1,
      activation: 'sigmoid',
      decoder: {
        type: 'FPN',
        pyramidChannels: 256,
        segmentationChannels: 128,
        merge: 'add',
        interpolation: 'nearest',
        upsampling: 4,
      },
    });
    expect(parse(UNET).decoder).toEqual({
      type: 'Unet',
      channels: [256, 128, 64, 32, 16],
      norm: { type: 'batchnorm', epsilon: 1e-5 },
      attention: null,
      interpolation: 'nearest',
    });
  });

  test('what does not change the masks is accepted', () => {
    const training = { encoder_weights: 'imagenet', decoder_dropout: 0.5, aux_params: { classes: 2 }, _private: 1 };
    expect(parse({ ...FPN, ...training })).toEqual(parse(FPN));
  });

  test.each([
    [{ classes: 1 }, 'sigmoid'],
    [{ classes: 3 }, 'softmax'],
    [{ classes: 3, activation: 'sigmoid' }, 'sigmoid'],
    [{ classes: 2, activation: 'softmax2d' }, 'softmax'],
    [{ classes: 2, activation: 'identity' }, 'softmax'],
  ])('%j means %s', (options, expected) => {
    expect(parse({ ...UNET, ...options }).activation).toBe(expected);
  });

  test.each([
    [true, { type: 'batchnorm', epsilon: 1e-5 }],
    [false, { type: 'identity' }],
    ['BatchNorm', { type: 'batchnorm', epsilon: 1e-5 }],
    [
      { type: 'batchnorm', eps: 0.01, momentum: 0.2 },
      { type: 'batchnorm', epsilon: 0.01 },
    ],
    [
      { type: 'instancenorm', affine: true },
      { type: 'instancenorm', epsilon: 1e-5 },
    ],
  ])('decoder_use_norm %j', (value, expected) => {
    expect(parse({ ...UNET, decoder_use_norm: value }).decoder).toMatchObject({ norm: expected });
  });

  test('the option of smp up to 0.4', () => {
    expect(parse({ ...UNET, decoder_use_batchnorm: false }).decoder).toMatchObject({ norm: { type: 'identity' } });
  });

  test.each([
    ['_model_class', { _model_class: 'DPT' }],
    ['_model_class', { _model_class: 'toString' }],
    ['_model_class', {}],
    ['encoder_name', { ...FPN, encoder_name: 'tu-convnext_tiny' }],
    ['encoder_name', { ...FPN, encoder_name: 'resnet50.a1_in1k' }],
    ['encoder_name', { ...FPN, encoder_name: 3 }],
    ['encoder_depth', { ...FPN, encoder_name: 'mit_b0', encoder_depth: 4, upsampling: 2 }],
    ['encoder_name', { ...FPN, encoder_name: 'constructor' }],
    ['in_channels', { ...FPN, in_channels: 4 }],
    ['output_stride', { ...FPN, output_stride: 16 }],
    ['activation', { ...FPN, activation: 'tanh' }],
    ['activation', { ...FPN, activation: 'softmax' }],
    ['upsampling', { ...FPN, upsampling: 8 }],
    ['upsampling', { ...FPN, encoder_depth: 4 }],
    ['decoder_merge_policy', { ...FPN, decoder_merge_policy: 'max' }],
    ['decoder_segmentation_channels', { ...FPN, decoder_segmentation_channels: 48 }],
    ['decoder_interpolation', { ...UNET, decoder_interpolation: 'lanczos' }],
    ['decoder_attention_type', { ...UNET, decoder_attention_type: 'cbam' }],
    ['decoder_channels', { ...UNET, decoder_attention_type: 'scse', decoder_channels: [64, 32, 16, 8, 8] }],
    ['decoder_use_norm', { ...UNET, decoder_use_norm: 'layernorm' }],
    ['decoder_use_norm', { ...UNET, decoder_use_norm: 'inplace' }],
    ['decoder_use_norm', { ...UNET, decoder_use_norm: 'instancenorm' }],
    ['decoder_use_norm', { ...UNET, decoder_use_norm: { type: 'batchnorm', track_running_stats: false } }],
    ['decoder_use_norm', { ...UNET, decoder_use_norm: { type: 'batchnorm', eps: 0 } }],
    ['decoder_use_norm', { ...UNET, decoder_use_norm: 3 }],
    ['new_option', { ...UNET, new_option: 1 }],
    ['decoder_channels', { ...FPN, decoder_channels: [1, 2, 3, 4, 5] }],
  ])('%s is refused by name: %j', (name, config) => {
    expect(() => parse(config)).toThrow(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining(`config.json: ${name} `) }),
    );
  });

  test.each([
    ['encoder_depth', { ...FPN, encoder_depth: 2 }],
    ['classes', { ...FPN, classes: 0 }],
    ['classes', { ...FPN, classes: '1' }],
    ['decoder_channels', { ...UNET, decoder_channels: [256, 128] }],
  ])('%s that makes no sense is invalid: %j', (name, config) => {
    expect(() => parse(config)).toThrow(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining(`config.json: ${name} `) }),
    );
  });

  test.each([null, [], 'FPN', 3])('%j is no configuration', json => {
    expect(() => parseArchitecture(json, 'config.json')).toThrow(expect.objectContaining({ code: 'MODEL_INVALID' }));
  });
});
