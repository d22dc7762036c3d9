import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { loadBundle } from '#src/model/bundle.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import { writeSafetensors } from '#src/model/safetensors-write.js';
import { TRAINED, TRAINED_ARCHITECTURES } from '#src/train/architectures.js';
import { withEncoder } from '#src/train/encoder-weights.js';
import { randomWeights } from '#src/train/initialise.js';
import { parseFrozen } from '#src/train/recipe.js';
import { dropoutOf, openStart } from '#src/train/start.js';
import { formulaWeights, makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';

const spread = (values: Float32Array) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
};

describe('random weights', () => {
  const graph = buildNetwork(parseArchitecture(TRAINED['fpn-resnet34'], 'fpn'));
  const source = randomWeights(graph, 1);

  it.each([
    // Fan out 64 × 9, 128 × 9; fan in 128 × 9; fan in 128, fan out 1.
    ['encoder.layer1.0.conv1.weight', Math.sqrt(2 / 576)],
    ['encoder.layer2.0.conv2.weight', Math.sqrt(2 / 1152)],
    ['decoder.seg_blocks.0.block.1.block.0.weight', Math.sqrt(2 / 1152)],
    ['segmentation_head.0.weight', Math.sqrt(2 / 129)],
  ])("of %s are spread as PyTorch's", async (name, deviation) => {
    const found = spread(await source.read(name));
    expect(found.deviation / deviation).toBeGreaterThan(0.85);
    expect(found.deviation / deviation).toBeLessThan(1.15);
    expect(Math.abs(found.mean)).toBeLessThan(0.25 * deviation);
  });

  it('are normal in the encoder, uniform in the decoder', async () => {
    const beyond = (values: Float32Array) => {
      const { deviation } = spread(values);
      return values.filter(value => Math.abs(value) > Math.sqrt(3.1) * deviation).length / values.length;
    };
    expect(beyond(await source.read('encoder.layer2.0.conv2.weight'))).toBeCloseTo(0.078, 2);
    expect(beyond(await source.read('decoder.seg_blocks.0.block.1.block.0.weight'))).toBe(0);
  });

  it('of norms and biases are what PyTorch begins with, and depend on nothing but seed and name', async () => {
    for (const [name, value] of [
      ['encoder.bn1.weight', 1],
      ['encoder.bn1.bias', 0],
      ['encoder.bn1.running_mean', 0],
      ['encoder.bn1.running_var', 1],
      ['decoder.p5.bias', 0],
    ] as const)
      expect((await source.read(name)).every(entry => entry === value)).toBe(true);
    const name = 'encoder.conv1.weight';
    expect(await randomWeights(graph, 1).read(name)).toEqual(await source.read(name));
    expect(await randomWeights(graph, 2).read(name)).not.toEqual(await source.read(name));
  });
});

describe('an encoder from a file', () => {
  const graph = buildNetwork(parseArchitecture(SMALL, 'small'));
  const encoder = [...graph.parameters].filter(([name]) => name.startsWith('encoder.'));
  const rest = randomWeights(graph, 1);
  let folder: string;
  beforeAll(async () => {
    folder = await emptyFolder();
  });

  const write = async (name: string, rename: (name: string) => string, more: [string, number[]][] = []) => {
    const path = join(folder, name);
    const tensors = [...encoder, ...more].map(([tensor, shape]) => ({
      name: rename(tensor),
      shape,
      values: formulaWeights(tensor, shape.length === 4 ? shape : [shape[0]!, 1, 1, 1]),
    }));
    await writeSafetensors(path, tensors);
    return path;
  };

  it.each([
    ['smp', (name: string) => name],
    ['torchvision', (name: string) => name.replace('encoder.', '')],
    ['a wrapper', (name: string) => `model.${name}`],
  ])('of %s is taken', async (kind, rename) => {
    const path = await write(`${kind}.safetensors`, rename, [['encoder.fc.weight', [2, 4, 1, 1]]]);
    const source = await withEncoder(path, graph, 'resnet18', rest);
    const [name, shape] = encoder[0]!;
    expect(await source.read(name)).toEqual(formulaWeights(name, shape));
    expect(await source.read('segmentation_head.0.weight')).toEqual(await rest.read('segmentation_head.0.weight'));
    await source.close();
  });

  it('of another network is refused in a line, with more layers as with fewer', async () => {
    const deeper = await write('deeper.safetensors', name => name, [['encoder.layer1.2.conv1.weight', [64, 64, 3, 3]]]);
    await expect(withEncoder(deeper, graph, 'resnet18', rest)).rejects.toMatchObject({
      code: 'MODEL_TENSOR',
      message: expect.stringMatching(
        /deeper\.safetensors is no encoder resnet18: encoder\.layer1\.2\.conv1\.weight is none of its/,
      ),
    });
    const vgg = buildNetwork(parseArchitecture(TRAINED['unet-vgg16'], 'vgg'));
    await expect(withEncoder(deeper, vgg, 'vgg16', randomWeights(vgg, 1))).rejects.toMatchObject({
      code: 'MODEL_TENSOR',
      message: expect.stringMatching(
        /is no encoder vgg16: tensor encoder\.features\.0\.weight \[64, 3, 3, 3\] is missing/,
      ),
    });
  });
});

describe('where a run begins', () => {
  it('is an architecture of the study, anew', async () => {
    for (const architecture of TRAINED_ARCHITECTURES) {
      const start = await openStart({ architecture, seed: 1 });
      expect(start.facts).toEqual({ architecture, encoder: 'random' });
      await start.close();
    }
  });

  it('is a bundle, of one class and not quantised', async () => {
    const path = await makeBundle({ config: SMALL });
    const start = await openStart({ architecture: 'fpn-resnet34', model: path, seed: 1 });
    expect(start).toMatchObject({ spacing: 0.5, patchSize: 64, architecture: { encoder: 'resnet18' } });
    expect(start.facts).toEqual({ bundle: (await loadBundle(path)).contentHash, norms: 'patch' });
    await start.close();
    const two = await makeBundle({ config: { ...SMALL, classes: 2 } });
    await expect(openStart({ architecture: 'fpn-resnet34', model: two, seed: 1 })).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
    });
    await expect(
      openStart({ architecture: 'fpn-resnet34', model: path, encoderWeights: 'x', seed: 1 }),
    ).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('has modules that can be frozen by name', () => {
    const names = ['encoder.conv1.weight', 'encoder.layer1.0.conv1.weight', 'decoder.p5.bias'];
    expect(parseFrozen('encoder, decoder.p5', names)).toEqual(['encoder.', 'decoder.p5.']);
    expect(parseFrozen(undefined, names)).toEqual([]);
    expect(() => parseFrozen('encoder.lay', names)).toThrow(/no module encoder\.lay/);
  });
});

it('batches are counted beside the statistics of norms, as PyTorch wants it', async () => {
  const path = join(await emptyFolder(), 'x.safetensors');
  const tensors = [{ name: 'a', shape: [3], values: Float32Array.of(1, 2, 3) }];
  await writeSafetensors(path, tensors, 'F16', {}, [{ name: 'n', count: 70_000 }]);
  const file = await SafetensorsFile.open(path);
  expect([...(await file.read('a'))]).toEqual([1, 2, 3]);
  expect(new DataView((await file.bytes('n')).buffer).getBigInt64(0, true)).toBe(70_000n);
  await file.close();
});

describe('dropout', () => {
  const fpn = { decoder: { type: 'FPN' } } as Parameters<typeof dropoutOf>[0]['architecture'];
  const unet = { decoder: { type: 'Unet' } } as typeof fpn;

  it('is what FPN says, or else what smp has', () => {
    expect(dropoutOf({ architecture: fpn, config: { decoder_dropout: 0.35 } })).toBe(0.35);
    expect(dropoutOf({ architecture: fpn, config: { decoder_dropout: 0 } })).toBe(0);
    expect(dropoutOf({ architecture: fpn, config: {} })).toBe(0.2);
    expect(dropoutOf({ architecture: unet, config: { decoder_dropout: 0.35 } })).toBe(0);
  });

  it.each([1, -0.1, 'much'])('of %s is refused', chance => {
    expect(() => dropoutOf({ architecture: fpn, config: { decoder_dropout: chance } })).toThrow('decoder_dropout');
  });
});
