import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter, type SegmenterOptions } from '#src/engine/create.js';
import { probeEngines } from '#src/engine/probe.js';
import { quantiseBundle } from '#src/engine/quantise.js';
import type { Segmenter } from '#src/engine/segmenter.js';
import { verifyBundle } from '#src/engine/verify.js';
import type { TensorToWrite } from '#src/model/safetensors-write.js';
import { runCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { logOfBrightness, makeReadyBundle, type ReadyGraph, reciprocalOfBrightness } from '../support/ready-graph.js';
import { useSoftwareGpu } from '../support/software-gpu.js';

const SIDE = 64;
let root: string;
let cacheFolder: string;
beforeAll(async () => {
  root = await emptyFolder();
  cacheFolder = join(root, 'cache');
});
afterAll(() => rm(root, { recursive: true }));

const noise = (place: number, seed: number) => Math.imul(place + seed, 2654435761) >>> 24;
/** Four patches: of noise, and slots 1 and 3 with one pixel of this colour. */
function arenaWith([red, green, blue]: readonly number[]): Arena {
  const arena = new Arena({ slots: 4, patchSize: SIDE });
  for (let slot = 0; slot < 4; slot++) {
    arena.slot(slot).set(Uint8Array.from({ length: arena.slotBytes }, (_, i) => 128 | noise(i, slot)));
    if (slot % 2 === 1) arena.slot(slot).set([red!, green!, blue!], 3 * 777);
  }
  return arena;
}

async function segmented(options: Pick<SegmenterOptions, 'engine' | 'model' | 'arena'> & Partial<SegmenterOptions>) {
  const segmenter: Segmenter = await createSegmenter({ batch: 4, threads: 1, cacheFolder, ...options });
  try {
    return await segmenter.segment([0, 1, 2, 3]);
  } finally {
    await segmenter.close();
  }
}

const places = ({ failed }: Awaited<ReturnType<Segmenter['segment']>>) => [...(failed?.keys() ?? [])];
const areNotFinite = ({ failed }: Awaited<ReturnType<Segmenter['segment']>>) =>
  [...failed!.values()].every(({ error, attempts }) => error.code === 'MODEL_NOT_FINITE' && attempts === 1);

describe('a ready graph', () => {
  const sigmoidOf: ReadyGraph['build'] = (out, input, output) => {
    logOfBrightness(out, input, 'logit');
    out.node('Sigmoid', ['logit'], {}, output);
  };
  const softmaxWith: ReadyGraph['build'] = (out, input, output) => {
    logOfBrightness(out, input, 'wrong');
    const red = out.node('Gather', [input, out.integers('red', [0])], { axis: 1 });
    out.node('Softmax', [out.node('Concat', [red, 'wrong'], { axis: 1 })], { axis: 1 }, output);
  };
  const secondClassOf: ReadyGraph['build'] = (out, input, output) => {
    logOfBrightness(out, input, 'wrong');
    const red = out.node('Gather', [input, out.integers('red', [0])], { axis: 1 });
    out.node('Concat', [red, 'wrong'], { axis: 1 }, output);
  };
  const positive = { positiveClasses: [0] };
  test.each<[string, ReadyGraph, readonly number[]]>([
    ['NaN among logits', { build: logOfBrightness }, [9, 9, 9]],
    ['infinite logits', { build: reciprocalOfBrightness }, [0, 0, 0]],
    ['NaN among probabilities', { build: sigmoidOf }, [9, 9, 9]],
    ['NaN through a softmax', { build: softmaxWith, classes: 2, manifest: positive }, [9, 9, 9]],
    [
      'NaN in a class that does not count',
      { build: secondClassOf, classes: 2, manifest: { ...positive, activation: 'sigmoid' } },
      [9, 9, 9],
    ],
    ['NaN in batches of a fixed size, filled up with black', { build: logOfBrightness, batch: 3 }, [9, 9, 9]],
  ])('with %s fails the patches that have them, and no others', async (name, graph, colour) => {
    const model = await makeReadyBundle(join(root, name), graph);
    const arena = arenaWith(colour);
    const result = await segmented({ engine: 'cpu', model, arena, probabilities: true });
    expect(places(result)).toEqual([1, 3]);
    expect(areNotFinite(result)).toBe(true);
    expect(result.bits.map(({ length }) => length)).toEqual([512, 0, 512, 0]);
    expect(result.probabilities!.map(({ length }) => length)).toEqual([4096, 0, 4096, 0]);
    expect([result.counts[1], result.counts[3]]).toEqual([0, 0]);
    // Neighbours are what they are without the pixel.
    const sound = await segmented({ engine: 'cpu', model, arena: arenaWith([200, 200, 200]) });
    expect(sound.failed).toBeUndefined();
    for (const slot of [0, 2]) expect(result.bits[slot]).toEqual(sound.bits[slot]);
  });

  test('whose scores are only large is left alone', async () => {
    const build: ReadyGraph['build'] = (out, input, output) => {
      const red = out.node('Gather', [input, out.integers('red', [0])], { axis: 1 });
      out.node('Mul', [red, out.floats('large', [3.4e38], [])], {}, output);
    };
    const model = await makeReadyBundle(join(root, 'large'), { build, manifest: { output: 'logits' } });
    const result = await segmented({ engine: 'cpu', model, arena: arenaWith([255, 0, 0]) });
    expect(result.failed).toBeUndefined();
    expect([...result.counts]).toEqual([4096, 4096, 4096, 4096]);
  });

  test('in the engine’s own process too', async () => {
    const model = await makeReadyBundle(join(root, 'process'), { build: logOfBrightness });
    const result = await segmented({ engine: 'cpu', model, arena: arenaWith([9, 9, 9]), isolation: 'process' });
    expect(places(result)).toEqual([1, 3]);
  });
});

/** The smallest FPN, whose normalisation over groups and relus an overflow has to come through. */
const FPN = {
  _model_class: 'FPN',
  encoder_name: 'resnet18',
  decoder_pyramid_channels: 32,
  decoder_segmentation_channels: 32,
};
const scaled = (pattern: RegExp, factor: number) => (tensors: TensorToWrite[]) => {
  for (const { name, values } of tensors)
    if (pattern.test(name)) for (let i = 0; i < values.length; i++) values[i]! *= factor;
  return tensors;
};
const HEAD = /^segmentation_head\.0\.weight/;
const INSIDE = /^decoder\.p\d\..*weight|encoder\.layer2\.0\.conv1\.weight/;

describe('a network that overflows', () => {
  const engines = [
    ['cpu', false],
    ['cpu', true],
    ['tfjs-wasm', false],
    ['tfjs-cpu', false],
  ] as const;
  const cases = engines.flatMap(([engine, half]) =>
    (['at its end', 'inside'] as const).map(where => ({ engine, half, where })),
  );
  test.each(cases)('$where: $engine, half $half', async ({ engine, half, where }) => {
    const edit = scaled(where === 'inside' ? INSIDE : HEAD, half ? 1e6 : 3e38);
    const model = await makeBundle({ config: where === 'inside' ? FPN : SMALL, edit });
    const result = await segmented({ engine, half, model, arena: arenaWith([0, 0, 0]) });
    expect(places(result)).toEqual([0, 1, 2, 3]);
    expect(areNotFinite(result)).toBe(true);
  });

  test('inside, on a GPU, whose relu would make a zero of it', async () => {
    useSoftwareGpu();
    const model = await makeBundle({ config: FPN, edit: scaled(INSIDE, 1e38) });
    const result = await segmented({ engine: 'webgpu', model, arena: arenaWith([0, 0, 0]), batch: 4 });
    expect(places(result)).toEqual([0, 1, 2, 3]);
    // A GPU in software takes minutes on a busy machine.
  }, 900_000);
});

describe('before a slide depends on it', () => {
  const verify = (model: string, half = false) => verifyBundle(model, { engine: 'cpu', threads: 1, cacheFolder, half });

  test('verify finds a model that is sound on noise and not on black', async () => {
    const model = await makeReadyBundle(join(root, 'black'), { build: reciprocalOfBrightness });
    const { problems, trial } = await verify(model);
    expect(problems).toMatchObject([
      { code: 'MODEL_NOT_FINITE', message: expect.stringMatching(/in float32 .* not finite on black, noise of black/) },
    ]);
    expect(trial).toBeUndefined();
  });

  test('verify says where float16 has no room, a problem only for who wants it', async () => {
    const model = await makeBundle({ config: FPN, edit: scaled(HEAD, 1e6) });
    const found = await verify(model);
    expect(found.problems).toEqual([]);
    expect(found.float16!.notFinite).toContain('noise');
    expect((await verify(model, true)).problems).toMatchObject([
      { code: 'MODEL_NOT_FINITE', message: expect.stringContaining('in float16') },
    ]);
    const sound = await verify(await makeBundle({ config: FPN }), true);
    expect(sound).toMatchObject({ problems: [], float16: { notFinite: [] } });
  });

  test('a probe of the engine finds it, and doctor names it', async () => {
    const model = await makeReadyBundle(join(root, 'probed'), { build: reciprocalOfBrightness });
    const [probe] = await probeEngines({ model, engines: ['cpu'], cacheFolder });
    expect(probe!.notFinite).toEqual(['black', 'noise of black and white', 'a board of black and white']);
    const { status, stdout } = await runCli(['doctor', '--engine', 'cpu', '--model', model]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/✗ engine cpu[\s\S]*not finite on black/);
  });

  test('no int8 bundle is made of it, whose bytes would hide it', async () => {
    const model = await makeBundle({ config: FPN, edit: scaled(INSIDE, 1e38) });
    async function* patches() {
      for (let i = 0; i < 8; i++) yield Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, place) => noise(place, i));
    }
    const made = quantiseBundle(model, join(root, 'int8'), { patches: patches(), threads: 1, cacheFolder });
    await expect(made).rejects.toMatchObject({ code: 'MODEL_NOT_FINITE' });
  });
});

test('a slide says which patches they are, and the command fails', async () => {
  const build: ReadyGraph['build'] = (out, input, output) => logOfBrightness(out, input, output);
  const model = await makeReadyBundle(join(root, 'slide'), { build, manifest: { patchSize: 256, spacing: 0.499 } });
  const out = await emptyFolder();
  const run = await runCli(['segment', SLIDE, '--model', model, '--engine', 'cpu', '--out', out]);
  expect(run.status).toBe(1);
  const folder = join(out, 'CMU-1-Small-Region');
  const records = (await readFile(join(folder, 'patches.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  const failed = records.filter(({ outcome }) => outcome === 'failed');
  expect(failed.length).toBeGreaterThan(5);
  expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['MODEL_NOT_FINITE']));
  expect(records.some(({ outcome }) => outcome === 'segmented')).toBe(true);
  const summary = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));
  expect(summary.patches.failed).toBe(failed.length);
  expect(run.stdout).toContain(`${failed.length} FAILED`);
});
