import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspectBundle } from '#src/model/inspect.js';
import { makeBundle, SMALL, STARTER } from '../support/formula-weights.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inspect-'));
});
afterAll(() => rm(root, { recursive: true }));

test('the starter model', async () => {
  const { architecture, details, bundle } = await inspectBundle(STARTER);
  expect(architecture).toBe('FPN/resnet34');
  expect(bundle.name).toBe('stroma-fpn-resnet34-starter');
  expect(details).toMatchObject({ parameters: 23_172_417, elementTypes: { F16: 211 }, unused: [] });
  // 3.6 for ResNet34 at 224 px (torchvision's table) is 18.8 at 512; the decoder adds the rest.
  expect(details!.gigaMultiplications).toBeGreaterThan(18.8);
  expect(details!.gigaMultiplications).toBeLessThan(40);
  expect(details!.layers).toContainEqual({ name: 'decoder.p2', channels: 256, stride: 4 });
});

test('tensors nobody reads are listed, counters of batch normalisation are not', async () => {
  const extra = ['encoder.layer4.0.conv1.weight', 'encoder.bn1.num_batches_tracked'];
  const model = await makeBundle(
    {
      config: SMALL,
      edit: all => [...all, ...extra.map(name => ({ name, shape: [2], values: new Float32Array(2) }))],
    },
    join(root, 'extra'),
  );
  expect((await inspectBundle(model)).details?.unused).toEqual(['encoder.layer4.0.conv1.weight']);
});

test('a ready graph', async () => {
  const path = new URL('../golden/model_ready/logits-opset11.onnx', import.meta.url).pathname;
  const report = await inspectBundle(path);
  expect(report.architecture).toBe('ready ONNX graph (operator set 11)');
  expect(report.details).toBeUndefined();
});
