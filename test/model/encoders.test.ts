import { describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import type { OutputStride } from '#src/model/architecture/encoder/encoder.js';
import { ENCODERS } from '#src/model/architecture/encoder/encoders.js';
import { buildGraph } from '#src/model/graph/builder.js';
import { multiplications } from '#src/model/graph/cost.js';
import { type ConvNode, type Graph, sidesOf, type Value } from '#src/model/graph/graph.js';
import { IMAGENET } from '#src/model/manifest.js';

/** The encoder alone; its last feature as the output. */
function built(name: string, depth = 5, outputStride: OutputStride = 32): { graph: Graph; features: readonly Value[] } {
  let features: readonly Value[] = [];
  const graph = buildGraph(g => {
    features = ENCODERS.get(name)!.build(g, depth, outputStride);
    return features.at(-1)!;
  });
  return { graph, features };
}

const convsOf = ({ nodes }: Graph): ConvNode[] => nodes.filter(node => node.op === 'conv');

describe.each([...ENCODERS.keys()])('%s', name => {
  test('has a feature a stage, each half as large, and reads nothing that a shallower one needs not', () => {
    const sizes = [3, 4, 5].map(depth => {
      const { graph, features } = built(name, depth);
      expect(features.map(({ stride }) => stride)).toEqual([1, 2, 4, 8, 16, 32].slice(0, depth + 1));
      expect(features.slice(2).every(({ channels }) => channels > 0)).toBe(true);
      expect(features[1]!.channels === 0).toBe(ENCODERS.get(name)!.emptyHalf === true);
      return graph.parameters.size;
    });
    expect(sizes[0]).toBeLessThan(sizes[1]!);
    expect(sizes[1]).toBeLessThanOrEqual(sizes[2]!);
  });
});

describe('dilated encoders', () => {
  const dilating = [...ENCODERS].filter(([, { dilates }]) => dilates).map(([name]) => name);

  test.each(dilating)('%s keeps its last stages as large as it is told, with the same parameters', name => {
    const whole = built(name);
    for (const [outputStride, strides] of [
      [16, [1, 2, 4, 8, 16, 16]],
      [8, [1, 2, 4, 8, 8, 8]],
    ] as const) {
      const { graph, features } = built(name, 5, outputStride);
      expect(features.map(({ stride }) => stride)).toEqual(strides);
      expect([...graph.parameters]).toEqual([...whole.graph.parameters]);
      const last = convsOf(graph).filter(({ dilation }) => dilation === 32 / outputStride);
      expect(last.length).toBeGreaterThan(3);
      for (const { kernel, padding, stride, dilation } of last) {
        expect(stride).toBe(1);
        expect(sidesOf(padding)).toEqual(sidesOf((kernel >> 1) * dilation!));
      }
    }
  });
});

describe("what an encoder's own weights were trained on", () => {
  const half = { range: [0, 1], mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  const input = (encoder_name: string, encoder_weights?: string) =>
    parseArchitecture({ _model_class: 'Unet', encoder_name, encoder_weights }, 'config.json').input;

  test.each([
    ['resnet50', IMAGENET],
    ['efficientnet-b4', IMAGENET],
    ['mit_b2', IMAGENET],
    ['timm-tf_efficientnet_lite2', half],
    ['tu-tf_efficientnet_lite0', half],
    ['tu-efficientnet_lite0', IMAGENET],
    ['tu-efficientnet_b1.ft_in1k', IMAGENET],
    ['tu-efficientnet_b1.ra4_e3600_r240_in1k', half],
    ['tu-tf_efficientnet_b5.ap_in1k', half],
    ['tu-resnet50.a1_in1k', IMAGENET],
    // What timm calls its best weights changed.
    ['tu-efficientnet_b1', null],
  ])('%s', (name, expected) => {
    expect(input(name)).toEqual(expected);
  });

  test('adversarially trained ones by encoder_weights', () => {
    expect(input('efficientnet-b0', 'advprop')).toEqual(half);
    expect(input('timm-efficientnet-b3', 'advprop')).toEqual(half);
    expect(input('timm-efficientnet-b3', 'noisy-student')).toEqual(IMAGENET);
  });
});

test.each([
  ['tu-tf_efficientnetv2_s', /RGB from −1 to 1: mean and std 0\.5/],
  ['tu-mobilevitv2_100', /RGB from 0 to 1/],
  ['inceptionv4', /RGB from −1 to 1/],
  ['tu-convnext_tiny', /get_pretrained_cfg/],
  ['mobileone_s0', /run are resnet/],
])('%s is refused with what is known of it, and how to bring it', (encoder_name, known) => {
  const parse = () => parseArchitecture({ _model_class: 'Unet', encoder_name }, 'config.json');
  expect(parse).toThrow(
    expect.objectContaining({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(known),
      fix: expect.stringMatching(/torch\.onnx\.export/),
    }),
  );
});

// Of the whole classifiers, in the papers or counted by timm; the classifier itself is below one in a hundred.
test.each([
  ['resnet50', 4.09],
  ['resnet101', 7.8],
  ['resnext50_32x4d', 4.23],
  ['densenet121', 2.83],
  ['mobilenet_v2', 0.3],
])('%s does about %s thousand million multiplications for 224 pixels', (name, expected) => {
  expect(multiplications(built(name).graph, 224) / 1e9 / expected).toBeCloseTo(1, 1);
});

test('attention counts each query with each key and each value', () => {
  const graph = buildGraph(g => {
    const few = g.conv(g.image, 'few', { out: 6, kernel: 2, stride: 2, padding: 0 });
    return g.attention(g.image, few, 1);
  });
  const side = 8;
  const [pixels, keys] = [side ** 2, (side / 2) ** 2];
  expect(multiplications(graph, side)).toBe(6 * 3 * 4 * keys + 2 * 3 * pixels * keys);
});
