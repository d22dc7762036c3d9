import { expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { trainingProgram } from '#src/model/gradient/step.js';
import { buildGraph } from '#src/model/graph/builder.js';
import { checkPatchSize, dropoutOf } from '#src/train/start.js';

const start = (config: Record<string, unknown>) => ({ config, architecture: parseArchitecture(config, 'config.json') });

test.each([
  [{ _model_class: 'FPN' }, 0.2],
  [{ _model_class: 'FPN', decoder_dropout: 0.4 }, 0.4],
  [{ _model_class: 'PSPNet' }, 0.2],
  [{ _model_class: 'PSPNet', psp_dropout: 0 }, 0],
  [{ _model_class: 'DeepLabV3', decoder_aspp_dropout: 0 }, 0],
  [{ _model_class: 'Linknet' }, 0],
])('dropout of %j is %f', (config, chance) => {
  expect(dropoutOf(start(config))).toBe(chance);
});

test.each([
  [{ _model_class: 'DeepLabV3' }, 'MODEL_UNSUPPORTED', 'decoder_aspp_dropout 0.5'],
  [{ _model_class: 'DeepLabV3Plus', decoder_aspp_dropout: 0.1 }, 'MODEL_UNSUPPORTED', 'decoder_aspp_dropout 0.1'],
  [{ _model_class: 'PSPNet', psp_dropout: 1 }, 'MODEL_INVALID', 'psp_dropout is 1'],
])('dropout of %j is refused by name', (config, code, said) => {
  expect(() => dropoutOf(start(config))).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(said) }),
  );
});

test('patches that are too small for the network', () => {
  const pan = start({ _model_class: 'PAN' });
  expect(() => checkPatchSize(pan, 128)).not.toThrow();
  expect(() => checkPatchSize(pan, 96)).toThrow(
    expect.objectContaining({ code: 'USAGE', fix: expect.stringContaining('--patch-size 128') }),
  );
});

test('a batch norm with one value a channel is refused, not run', () => {
  const graph = buildGraph(g => {
    const pooled = g.conv(g.globalAverage(g.image), 'pooled', { out: 4, kernel: 1, batchNorm: 'norm' });
    return g.conv(g.multiply(g.conv(g.image, 'wide', { out: 4, kernel: 1 }), pooled), 'head', { out: 1, kernel: 1 });
  });
  const program = (batch: number, usesBatch: boolean) =>
    trainingProgram(graph, { batch, side: 32, loss: 'dice', trains: () => true, usesBatch: () => usesBatch });
  expect(() => program(2, true)).not.toThrow();
  expect(() => program(1, false)).not.toThrow();
  expect(() => program(1, true)).toThrow(
    expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining('norm gets one value') }),
  );
});
