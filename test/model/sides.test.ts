import { join } from 'node:path';
import { expect, test } from 'vitest';
import { evaluateImage } from '#src/engine/evaluate.js';
import { loadBundle } from '#src/model/bundle.js';
import { checkSides, trialSide } from '#src/model/sides.js';
import { goldenPatch } from '../engine/parity.js';
import { makeBundle } from '../support/formula-weights.js';

/** PAN halves the deepest map of its encoder, an eighth of the image here, three times. */
const config = { _model_class: 'PAN', encoder_name: 'resnet18', encoder_depth: 3, decoder_channels: 8 };

test('a bundle whose patches are too small for its network is refused', async () => {
  const folder = await makeBundle({ config, manifest: { patchSize: 32 } });
  await expect(loadBundle(folder)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: `${join(folder, 'stromaflow.json')}: patchSize is 32, but PAN reads nothing smaller than 64 pixels`,
  });
});

test('what a network can be tried at, and what it cannot read', async () => {
  const pan = await loadBundle(await makeBundle({ config }));
  expect([trialSide(pan, 32), trialSide(pan, 96)]).toEqual([64, 96]);
  expect(() => checkSides(pan, 64, 96)).not.toThrow();
  expect(() => checkSides(pan, 96, 32)).toThrow(
    expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining('64 × 64') }),
  );
});

test.each(['cpu', 'tfjs-wasm'])('a picture that is too small is refused by name: %s', async engine => {
  const model = await makeBundle({ config });
  await expect(evaluateImage(model, await goldenPatch(32), { engine })).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
    message: expect.stringContaining('at least 64 × 64 pixels, not 32 × 32'),
  });
});
