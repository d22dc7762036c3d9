import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter, type SegmenterOptions } from '#src/engine/create.js';
import { loadModel, MOST_MEMBERS } from '#src/model/model.js';
import type { SafetensorsFile } from '#src/model/safetensors.js';
import { type Tta, type View, viewsOf } from '#src/model/views.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';
import { makeReadyBundle } from '../support/ready-graph.js';
import { goldenPatch, openGolden } from './parity.js';

/** As test/golden/ensemble_golden.py says. */
const MODELS = {
  one: { config: SMALL, manifest: { name: 'one', threshold: 0.5 } },
  softmax: {
    config: { ...SMALL, classes: 3, activation: 'softmax2d' },
    manifest: {
      ...{ name: 'softmax', threshold: 0.7, positiveClasses: [0, 2] },
      input: { range: [0, 1], mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    },
  },
  sigmoid: {
    config: {
      ...{ _model_class: 'FPN', encoder_name: 'resnet18', encoder_depth: 3, upsampling: 1 },
      ...{ classes: 4, activation: 'sigmoid' },
    },
    manifest: {
      ...{ name: 'sigmoid', threshold: 0.3, positiveClasses: [1, 3] },
      input: { range: [0, 255], mean: [127.5, 127.5, 127.5], std: [60, 60, 60] },
    },
  },
} as const;
const KINDS: readonly (Tta | undefined)[] = [undefined, 'flips', 'd4'];
const READY = new URL('../golden/model_ready/', import.meta.url).pathname;
const SIDE = 64;
const AREA = SIDE * SIDE;

let root: string;
let golden: SafetensorsFile;
const paths: Record<string, string> = {};
beforeAll(async () => {
  root = await emptyFolder();
  golden = await openGolden('ensemble_golden.safetensors');
  for (const [name, parts] of Object.entries(MODELS)) paths[name] = await makeBundle(parts, join(root, name));
  paths['ensemble'] = Object.keys(MODELS)
    .map(name => paths[name])
    .join(',');
});
afterAll(async () => {
  await golden.close();
  await rm(root, { recursive: true });
});

/** Two patches, the golden one second. */
async function arenaOf(): Promise<Arena> {
  const arena = new Arena({ slots: 2, patchSize: SIDE });
  arena.slot(0).set(Uint8Array.from({ length: arena.slotBytes }, (_, i) => Math.imul(i, 2654435761) >>> 24));
  arena.slot(1).set((await goldenPatch(SIDE)).pixels);
  return arena;
}

async function run(options: Pick<SegmenterOptions, 'model'> & Partial<SegmenterOptions>) {
  const arena = options.arena ?? (await arenaOf());
  const how = {
    engine: 'cpu',
    arena,
    batch: arena.shape.slots,
    threads: 1,
    cacheFolder: join(root, 'cache'),
    scores: true,
  };
  const segmenter = await createSegmenter({ ...how, probabilities: true, ...options });
  try {
    const slots = Array.from({ length: how.arena.shape.slots }, (_, slot) => slot);
    return { info: segmenter.info, ...(await segmenter.segment(slots)) };
  } finally {
    await segmenter.close();
  }
}

const largest = (values: ArrayLike<number>, others: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0);

const CASES = [
  ...['one', 'softmax', 'sigmoid', 'ensemble'].flatMap(name => KINDS.map(tta => ['cpu', name, tta] as const)),
  // WebAssembly takes seconds to begin.
  ['tfjs-wasm', 'one', 'd4'] as const,
  ['tfjs-wasm', 'ensemble', undefined] as const,
];

test.each(CASES)(
  "%s, %s, views %s: PyTorch's mean of the probabilities, and the mask it makes",
  async (engine, name, tta) => {
    const { info, bits, counts, scores, probabilities } = await run({ engine, model: paths[name]!, tta });
    const found = scores![1]!;
    const expected = await golden.read(`${name}/${tta ?? 'plain'}`);
    const everySecond = found.filter((_, i) => i % 2 === 0 && (i >> 6) % 2 === 0);
    expect(everySecond).toHaveLength(expected.length);
    expect(largest(everySecond, expected)).toBeLessThan(1e-5);

    const threshold = name === 'ensemble' ? (0.5 + 0.7 + 0.3) / 3 : MODELS[name as 'one'].manifest.threshold;
    expect(info.threshold).toBeCloseTo(threshold, 12);
    for (const patch of [0, 1]) {
      const mask = Array.from({ length: AREA }, (_, i) => (bits[patch]![i >> 3]! >> (7 - (i & 7))) & 1);
      const wrong = mask.filter(
        (bit, i) =>
          Math.abs(scores![patch]![i]! - threshold) > 1e-6 && bit !== (scores![patch]![i]! > threshold ? 1 : 0),
      );
      expect(wrong).toEqual([]);
      expect(counts[patch]).toBe(mask.reduce((sum, bit) => sum + bit, 0));
      expect(
        largest(
          probabilities![patch]!,
          scores![patch]!.map(p => p * 255),
        ),
      ).toBeLessThan(0.501);
    }
    expect(new Set(bits[1]).size).toBeGreaterThan(1);
  },
);

test('the null engine looks at no more than a pixel: views change nothing', async () => {
  const [plain, d4] = [await run({ engine: 'null', model: '' }), await run({ engine: 'null', model: '', tta: 'd4' })];
  expect(d4.bits).toEqual(plain.bits);
  expect(plain.info.threshold).toBe(0.5);
  expect(plain.scores![1]!.filter(p => p > 0.5)).toHaveLength(plain.counts[1]!);
});

test('a process of its own, and smaller batches, give the same', async () => {
  const here = await run({ model: paths['ensemble']!, tta: 'd4' });
  const there = await run({ model: paths['ensemble']!, tta: 'd4', isolation: 'process', batch: 16 });
  expect(there.bits).toEqual(here.bits);
  expect(largest(there.scores![1]!, here.scores![1]!)).toBeLessThan(1e-6);
  expect(there.scores![1]!.every((p, i) => Math.abs(p * 255 - there.probabilities![1]![i]!) <= 0.501)).toBe(true);
});

test('whatever the order of the members, name, version and every bit are the same', async () => {
  const turned = paths['ensemble']!.split(',').reverse().join(', ');
  const [one, other] = [await run({ model: paths['ensemble']! }), await run({ model: turned })];
  expect(other.info).toMatchObject({ model: one.info.model, modelVersion: one.info.modelVersion });
  expect(other.scores).toEqual(one.scores);
  expect(one.info.model.split(' + ').sort()).toEqual(['one', 'sigmoid', 'softmax']);
  expect(one.info.modelVersion).toMatch(/^ensemble-of-3\+[0-9a-f]{8}$/);
  const fewer = await loadModel(`${paths['one']},${paths['softmax']}`, undefined, { tta: 'd4' });
  expect(fewer.version).toMatch(/^ensemble-of-2\+[0-9a-f]{8}\.d4$/);
  expect(fewer.version.slice(14, 22)).not.toBe(one.info.modelVersion.slice(14));
});

test.each(KINDS.slice(1))(
  'ready graphs of any operator set, %s: the mean of what they make of each view',
  async tta => {
    const arena = await arenaOf();
    for (const file of ['logits-opset11', 'softmax-opset13']) {
      const model = await readyBundle(file);
      const { scores } = await run({ model, tta, arena });
      const views = viewsOf(tta);
      const seen = new Arena({ slots: views.length, patchSize: SIDE });
      for (const [slot, view] of views.entries()) seen.slot(slot).set(seenIn(view, arena.slot(1), 3));
      const plain = await run({ model, arena: seen });
      const back = views.map((view, slot) => seenBack(view, plain.scores![slot]!));
      const mean = back[0]!.map((_, i) => back.reduce((sum, map) => sum + map[i]!, 0) / views.length);
      expect(largest(scores![1]!, mean)).toBeLessThan(1e-6);
    }
  },
);

test('an ensemble of a ready graph with a fixed batch and a bundle', async () => {
  const fixed = await readyBundle('sigmoid-batch2-opset17', 'fixed');
  const [both, one, other] = [
    await run({ model: `${fixed},${paths['one']}` }),
    await run({ model: fixed }),
    await run({ model: paths['one']! }),
  ];
  const mean = one.scores![1]!.map((p, i) => (p + other.scores![1]![i]!) / 2);
  expect(largest(both.scores![1]!, mean)).toBeLessThan(1e-6);
});

test('a member that is not finite on a patch fails that patch and no other', async () => {
  const odd = await makeReadyBundle(join(root, 'odd'), {
    // 1 ÷ brightness of the middle channel: infinite where it is black.
    build: (out, input, output) => {
      const green = out.node('Gather', [input, out.integers('green', [1])], { axis: 1 });
      out.node('Reciprocal', [green], {}, output);
    },
    manifest: { output: 'logits', input: { range: [0, 1], mean: [0, 0, 0], std: [1, 1, 1] } },
  });
  const arena = await arenaOf();
  arena.slot(0).fill(200);
  arena
    .slot(1)
    .fill(200)
    .fill(0, 3 * 777, 3 * 778);
  const { failed, counts } = await run({ model: `${odd},${paths['one']}`, tta: 'd4', arena });
  expect([...failed!.entries()].map(([place, { error }]) => [place, error.code])).toEqual([[1, 'MODEL_NOT_FINITE']]);
  expect(counts[1]).toBe(0);
});

describe('refused', () => {
  test.each([
    [
      'one model twice',
      () => `${paths['one']},${paths['softmax']},${paths['one']}#patch`,
      'CONFIG_INVALID',
      /one 1\.0\.0\+\w+ is in the ensemble twice/,
    ],
    [
      'too many',
      () =>
        Array(MOST_MEMBERS + 1)
          .fill(paths['one'])
          .join(','),
      'CONFIG_INVALID',
      /of 9 models: 8 at most/,
    ],
    ['a name that is empty', () => `${paths['one']},,${paths['softmax']}`, 'CONFIG_INVALID', /a name that is empty/],
    ['a member that is not there', () => `${paths['one']},${join(root, 'no')}`, 'MODEL_NOT_FOUND', /no does not exist/],
  ])('%s', async (_, model, code, message) => {
    await expect(loadModel(model())).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('views of a ready graph whose batch is fixed', async () => {
    const model = await readyBundle('sigmoid-batch2-opset17', 'refused');
    await expect(run({ model, tta: 'd4' })).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/batches of 2 only, and --tta d4 makes 8 views of each patch/),
    });
  });

  test('a ready graph on TensorFlow.js, in company as well as alone', async () => {
    const ready = await readyBundle('softmax-opset13', 'tfjs');
    const model = `${ready},${paths['one']}`;
    await expect(run({ engine: 'tfjs-wasm', model })).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });
});

test('a folder with a comma in its name is one model', async () => {
  const path = await makeBundle(MODELS.one, join(root, 'one,again'));
  for (const source of [path, `${path}#patch`]) expect((await loadModel(source)).members).toHaveLength(1);
});

test('labels are those that all who state any agree on', async () => {
  const labels = [{ name: 'stroma', value: 2, meaning: 'positive' }];
  const [a, b, c] = await Promise.all(
    [labels, [{ ...labels[0], value: 3 }], undefined].map((stated, i) =>
      makeBundle(
        { ...MODELS.one, manifest: { ...MODELS.one.manifest, name: `m${i}`, ...(stated && { labels: stated }) } },
        join(root, `labels${i}`),
      ),
    ),
  );
  expect((await loadModel(`${a},${c}`)).labels).toMatchObject([{ name: 'stroma' }]);
  expect((await loadModel(`${a},${b}`)).labels).toBeUndefined();
});

async function readyBundle(file: string, name = file): Promise<string> {
  const { cp, mkdir, writeFile } = await import('node:fs/promises');
  const folder = join(root, `ready-${name}`);
  await mkdir(folder, { recursive: true });
  for (const kind of ['.onnx', '.onnx.data'])
    await cp(join(READY, `${file}${kind}`), join(folder, `${file}${kind}`)).catch(() => undefined);
  const manifest = {
    name,
    patchSize: SIDE,
    spacing: 0.5,
    positiveClasses: [0],
    ...(file.startsWith('logits') && { output: 'logits' }),
  };
  await writeFile(join(folder, 'stromaflow.json'), JSON.stringify(manifest));
  return folder;
}

/** A picture of SIDE × SIDE as a view shows it, in plain loops. */
function seenIn({ transposed, reversedRows, reversedColumns }: View, pixels: Uint8Array, channels: number): Uint8Array {
  const out = new Uint8Array(pixels.length);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const [a, b] = [reversedRows ? SIDE - 1 - y : y, reversedColumns ? SIDE - 1 - x : x];
      const from = transposed ? b * SIDE + a : a * SIDE + b;
      for (let c = 0; c < channels; c++) out[(y * SIDE + x) * channels + c] = pixels[from * channels + c]!;
    }
  return out;
}

/** A map of a view as the picture lies. */
function seenBack({ transposed, reversedRows, reversedColumns }: View, map: Float32Array): Float32Array {
  const out = new Float32Array(map.length);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const [a, b] = [reversedRows ? SIDE - 1 - y : y, reversedColumns ? SIDE - 1 - x : x];
      out[transposed ? b * SIDE + a : a * SIDE + b] = map[y * SIDE + x]!;
    }
  return out;
}
