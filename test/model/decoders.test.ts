import { describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { DECODERS } from '#src/model/architecture/decoder/decoders.js';
import { buildNetwork, leastSideOf } from '#src/model/architecture/network.js';
import { multiplications } from '#src/model/graph/cost.js';
import { freezeNorms, groupNorms } from '#src/model/graph/freeze.js';
import { inputsOf } from '#src/model/graph/graph.js';
import { simplify } from '#src/model/graph/simplify.js';
import { isQuantised } from '#src/model/int8/places.js';

type Config = Record<string, unknown>;
const parse = (config: Config) => parseArchitecture(config, 'config.json');
const network = (config: Config) => buildNetwork(parse(config));
const of = (model: string, options: Config = {}): Config => ({ _model_class: model, ...options });
const R18 = { encoder_name: 'resnet18' };
const NAMES = Object.keys(DECODERS);

// Counted in PyTorch: parameters and batch-norm statistics of smp 0.6's models over ResNet18; of PSPNet without the two stages that
// it does not run.
test.each([
  ['UnetPlusPlus', 15_983_825],
  ['Linknet', 11_675_489],
  ['MAnet', 21_690_001],
  ['PSPNet', 839_521],
  ['PAN', 11_377_780],
  ['DeepLabV3', 15_912_129],
  ['DeepLabV3Plus', 12_343_089],
  ['Segformer', 11_778_497],
  ['UPerNet', 19_507_265],
])('%s has as many weights as in PyTorch', (model, expected) => {
  const { parameters } = network(of(model, R18));
  const count = [...parameters.values()].reduce((sum, shape) => sum + shape.reduce((n, size) => n * size, 1), 0);
  expect(count).toBe(expected);
});

test.each(NAMES)('%s gives a logit a class and pixel, frozen, simplified or not', model => {
  const graph = network(of(model, { ...R18, classes: 3 }));
  for (const form of [graph, simplify(graph), simplify(freezeNorms(graph))]) {
    expect(form.output).toMatchObject({ channels: 3, stride: 1 });
    form.nodes.forEach((node, id) => {
      for (const input of inputsOf(node)) expect(input.id).toBeLessThan(id);
    });
  }
});

test('every norm of the patch can be frozen, those behind a transposed convolution too', () => {
  const config = { encoder_depth: 4, decoder_use_norm: { type: 'instancenorm', affine: true } };
  const graph = network(of('Linknet', { ...R18, ...config }));
  expect(groupNorms(graph)).toHaveLength(12);
  const frozen = freezeNorms(graph);
  expect(groupNorms(frozen)).toEqual([]);
  const transposed = frozen.nodes.find(node => node.op === 'convTranspose');
  expect(transposed).toMatchObject({ batchNorm: { name: 'decoder.blocks.0.block.1.1', groups: 64 } });
});

test('what stays float32 in int8', () => {
  const bytes = (model: string) => {
    const graph = simplify(network(of(model, R18)));
    return graph.nodes.flatMap(node => (node.op === 'conv' ? [[node.name, isQuantised(node)] as const] : []));
  };
  const float = (model: string) => bytes(model).flatMap(([name, quantised]) => (quantised ? [] : [name]));
  // Transposed convolutions are no convolutions here, and never bytes.
  expect(float('Linknet')).toEqual(['segmentation_head.0']);
  expect(float('MAnet')).toEqual([
    'decoder.center.top_conv',
    'decoder.center.center_conv',
    ...[0, 1, 2, 3].flatMap(block =>
      ['SE_hl.1', 'SE_hl.3', 'SE_ll.1', 'SE_ll.3'].map(name => `decoder.blocks.${block}.${name}`),
    ),
    'segmentation_head.0',
  ]);
  expect(float('PSPNet')).toEqual(
    [0, 1, 2, 3].map(i => `decoder.psp.blocks.${i}.pool.1.0`).concat('segmentation_head.0'),
  );
  expect(float('DeepLabV3Plus')).toContain('decoder.block2.0.0');
  expect(float('DeepLabV3Plus')).not.toContain('decoder.block2.0.1');
});

test('the cost of what decoders add', () => {
  const cost = (model: string, options: Config = {}) => multiplications(network(of(model, { ...R18, ...options })), 64);
  // LinkNet's first block: 512 → 128 on 2 × 2, transposed from there, 128 → 256 on 4 × 4, and so on; the head last.
  const linknet = [
    [512, 256, 2],
    [256, 128, 4],
    [128, 64, 8],
    [64, 64, 16],
    [64, 32, 32],
  ].reduce(
    (sum, [from, to, side]) => {
      const narrow = from! / 4;
      const [area, four] = [side! ** 2, (2 * side!) ** 2];
      return sum + from! * narrow * area + narrow * narrow * 16 * area + narrow * to! * four;
    },
    32 * 64 * 64,
  );
  const encoder = cost('Linknet') - linknet;
  // MA-Net's attention compares 4 pixels with 4 by 64 channels, and weighs 512.
  const unet = { decoder_channels: [256, 128, 64, 32, 16] };
  expect(cost('MAnet', unet)).toBeGreaterThan(encoder + 4 * 4 * (64 + 512));
  expect(encoder).toBe(
    // 7 × 7 to 32 × 32, then pairs of 3 × 3 convolutions, downsampling by 1 × 1 ones.
    3 * 64 * 49 * 32 ** 2 +
      4 * 64 * 64 * 9 * 16 ** 2 +
      [64, 128, 256].reduce((sum, c, i) => {
        const area = (8 / 2 ** i) ** 2;
        return sum + (c * 2 * c * 9 + 3 * (2 * c) ** 2 * 9 + c * 2 * c) * area;
      }, 0),
  );
});

describe('options', () => {
  test.each([
    ['UnetPlusPlus', { channels: [256, 128, 64, 32, 16], attention: null, interpolation: 'nearest' }],
    ['Linknet', { norm: { type: 'batchnorm', epsilon: 1e-5 } }],
    ['MAnet', { pabChannels: 64, interpolation: 'nearest' }],
    ['PSPNet', { channels: 512, upsampling: 8 }],
    ['PAN', { channels: 32, interpolation: 'bilinear-corners', outputStride: 16 }],
    ['DeepLabV3', { channels: 256, rates: [12, 24, 36], separable: false, outputStride: 8, upsampling: 8 }],
    ['DeepLabV3Plus', { channels: 256, rates: [12, 24, 36], separable: true, outputStride: 16, upsampling: 4 }],
    ['Segformer', { channels: 256 }],
    ['UPerNet', { channels: 256, norm: { type: 'batchnorm', epsilon: 1e-5 } }],
  ])("%s: absent ones have smp's defaults", (model, expected) => {
    expect(parse(of(model)).decoder).toMatchObject({ type: model, ...expected });
    expect(parse(of(model)).encoderDepth).toBe(model === 'PSPNet' ? 3 : 5);
  });

  test.each([
    // smp 0.5 and 0.6 write both names, and the older one wins.
    ['Unet', { decoder_use_norm: 'batchnorm', decoder_use_batchnorm: false }, { norm: { type: 'identity' } }],
    ['UnetPlusPlus', { decoder_use_norm: 'batchnorm', decoder_use_batchnorm: false }, { norm: { type: 'identity' } }],
    ['Linknet', { decoder_use_batchnorm: false }, { norm: { type: 'identity' } }],
    ['MAnet', { decoder_use_batchnorm: true }, { norm: { type: 'batchnorm' } }],
    ['PSPNet', { decoder_use_norm: 'batchnorm', psp_use_batchnorm: false }, { norm: { type: 'identity' } }],
    ['PAN', { decoder_interpolation: 'bilinear', upscale_mode: 'nearest' }, { interpolation: 'nearest' }],
    ['PAN', { upscale_mode: 'bicubic' }, { interpolation: 'bicubic' }],
    ['DeepLabV3', { upsampling: null }, { upsampling: 8 }],
    ['DeepLabV3', { encoder_output_stride: 16 }, { upsampling: 16 }],
    ['DeepLabV3', { encoder_output_stride: 16, encoder_depth: 3 }, { upsampling: 8 }],
  ])('%s %j', (model, options, expected) => {
    expect(parse(of(model, options)).decoder).toMatchObject(expected);
  });

  test.each(NAMES)('%s: what does not change the masks is accepted', model => {
    expect(parse(of(model, { aux_params: { classes: 2 }, encoder_weights: 'imagenet' }))).toEqual(parse(of(model)));
  });

  test.each([
    ['PSPNet', 'psp_dropout'],
    ['DeepLabV3', 'decoder_aspp_dropout'],
    ['DeepLabV3Plus', 'decoder_aspp_dropout'],
  ])('%s: %s is for training', (model, option) => {
    expect(parse(of(model, { [option]: 0.7 }))).toEqual(parse(of(model)));
  });

  test.each([
    ['encoder_name', of('UnetPlusPlus', { encoder_name: 'mit_b0' })],
    ['encoder_name', of('Linknet', { encoder_name: 'mit_b2' })],
    ['encoder_output_stride', of('PAN', { encoder_name: 'vgg11' })],
    ['encoder_output_stride', of('PAN', { encoder_output_stride: 8 })],
    ['encoder_output_stride', of('DeepLabV3', { encoder_name: 'vgg16_bn' })],
    ['encoder_output_stride', of('DeepLabV3', { encoder_output_stride: 32 })],
    ['encoder_output_stride', of('Segformer', { encoder_output_stride: 16 })],
    ['upsampling', of('PSPNet', { upsampling: 4 })],
    ['upsampling', of('PSPNet', { encoder_depth: 4 })],
    ['upsampling', of('PAN', { upsampling: 1 })],
    ['upsampling', of('DeepLabV3', { upsampling: 4 })],
    ['upsampling', of('DeepLabV3Plus', { upsampling: 8 })],
    ['upsampling', of('Segformer', { upsampling: 1 })],
    ['upsampling', of('UPerNet', { upsampling: 2 })],
    ['decoder_pyramid_channels', of('UPerNet', { decoder_pyramid_channels: 256, decoder_segmentation_channels: 64 })],
    ['decoder_use_norm', of('UPerNet', { decoder_use_norm: { type: 'instancenorm', affine: true } })],
    ['decoder_use_norm', of('Linknet', { decoder_use_norm: 'layernorm' })],
    ['psp_use_batchnorm', of('PSPNet', { psp_use_batchnorm: 'inplace' })],
    ['decoder_attention_type', of('MAnet', { decoder_attention_type: 'scse' })],
    ['decoder_interpolation', of('Linknet', { decoder_interpolation: 'bilinear' })],
    ['psp_dropout', of('FPN', { psp_dropout: 0.2 })],
  ])('%s is refused by name: %j', (name, config) => {
    expect(() => parse(config)).toThrow(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining(`config.json: ${name} `) }),
    );
  });

  test.each([
    ['decoder_atrous_rates', of('DeepLabV3', { decoder_atrous_rates: [1, 2] })],
    ['decoder_atrous_rates', of('DeepLabV3Plus', { decoder_atrous_rates: [1, 2, 0] })],
    ['decoder_channels', of('MAnet', { decoder_channels: [1] })],
    ['decoder_pab_channels', of('MAnet', { decoder_pab_channels: 0 })],
    ['psp_out_channels', of('PSPNet', { psp_out_channels: '512' })],
    ['decoder_channels', of('PAN', { decoder_channels: [32] })],
  ])('%s that makes no sense is invalid: %j', (name, config) => {
    expect(() => parse(config)).toThrow(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining(`config.json: ${name} `) }),
    );
  });

  test('a model that is not known: what is, and how to bring it', () => {
    const message = expect.stringContaining('UnetPlusPlus, Linknet, MAnet');
    expect(() => parse(of('DPT'))).toThrow(
      expect.objectContaining({ message, fix: expect.stringContaining('torch.onnx.export') }),
    );
  });
});

test.each([
  [of('PAN'), 128],
  [of('PAN', { encoder_output_stride: 32 }), 256],
  [of('PAN', { encoder_depth: 3 }), 64],
  [of('DeepLabV3'), 32],
  [of('FPN'), 32],
])('%j reads images from %i pixels on', (config, side) => {
  expect(leastSideOf(parse(config))).toBe(side);
});
