import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBundle, type ModelBundle } from '#src/model/bundle.js';
import { compileBundle } from '#src/model/onnx/compile.js';
import { PORTS } from '#src/model/onnx/surround.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';

let root: string;
let bundle: ModelBundle;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'compile-'));
  bundle = await loadBundle(await makeBundle({ config: SMALL }, join(root, 'bundle')));
});
afterAll(() => rm(root, { recursive: true }));

let next = 0;
const folder = () => join(root, `cache${next++}`);
const onnxFiles = async (path: string) => (await readdir(path)).filter(name => name.endsWith('.onnx'));

describe('the compiled graph', () => {
  /** Mask, counts and logits of `count` noisy patches. */
  async function run(path: string, count: number, height: number, width: number) {
    const session = await InferenceSession.create(path);
    const pixels = Uint8Array.from({ length: count * height * width * 3 }, (_, i) => (i * 2654435761) >>> 24);
    const results = await session.run({ [PORTS.patches]: new Tensor('uint8', pixels, [count, height, width, 3]) });
    await session.release();
    return {
      mask: results[PORTS.mask]!.data as Uint8Array,
      counts: results[PORTS.counts]!.data as Int32Array,
      logits: results[PORTS.logits]!.data as Float32Array,
      dims: [results[PORTS.mask]!.dims, results[PORTS.counts]!.dims, results[PORTS.logits]!.dims],
    };
  }

  test('takes any number and size of patches; mask, counts and logits agree', async () => {
    const threshold = 0.3;
    const path = await compileBundle({ ...bundle, threshold, contentHash: 'a' }, { cacheFolder: folder() });
    for (const [count, height, width] of [
      [1, 32, 96],
      [3, 64, 64],
    ] as const) {
      const { mask, counts, logits, dims } = await run(path, count, height, width);
      expect(dims).toEqual([[count, height, width], [count], [count, 1, height, width]]);
      const area = height * width;
      const expected = logits.map(logit => (1 / (1 + Math.exp(-logit)) > threshold ? 1 : 0));
      expect(mask).toEqual(Uint8Array.from(expected));
      const sums = Array.from({ length: count }, (_, i) =>
        mask.subarray(i * area, (i + 1) * area).reduce((n, bit) => n + bit, 0),
      );
      expect([...counts]).toEqual(sums);
      expect(sums.some(sum => sum > 0 && sum < area)).toBe(true);
    }
  });

  test('several classes that exclude each other: the positive ones against the rest', async () => {
    const config = { ...SMALL, classes: 4 };
    const manifest = { positiveClasses: [3, 1], threshold: 0.4 };
    const several = await loadBundle(await makeBundle({ config, manifest }, join(root, 'softmax')));
    const { mask, logits } = await run(await compileBundle(several, { cacheFolder: folder() }), 2, 32, 32);
    const expected = mask.map((_, i) => {
      const [n, pixel] = [Math.floor(i / 1024), i % 1024];
      const exponentials = [0, 1, 2, 3].map(c => Math.exp(logits[(n * 4 + c) * 1024 + pixel]!));
      const positive = (exponentials[1]! + exponentials[3]!) / exponentials.reduce((a, b) => a + b);
      return positive > 0.4 ? 1 : 0;
    });
    expect(mask).toEqual(expected);
    expect(new Set(mask)).toEqual(new Set([0, 1]));
  });

  test('several classes that do not: any positive one', async () => {
    const config = { ...SMALL, classes: 3, activation: 'sigmoid' };
    const manifest = { positiveClasses: [0, 2], threshold: 0.6 };
    const several = await loadBundle(await makeBundle({ config, manifest }, join(root, 'sigmoid')));
    const { mask, logits } = await run(await compileBundle(several, { cacheFolder: folder() }), 1, 32, 32);
    const bar = Math.log(0.6 / 0.4);
    expect(mask).toEqual(mask.map((_, i) => (logits[i]! > bar || logits[2048 + i]! > bar ? 1 : 0)));
    expect(new Set(mask)).toEqual(new Set([0, 1]));
  });
});

describe('the cache', () => {
  test('compiles once, and again for other content or layers', async () => {
    const cacheFolder = folder();
    const path = await compileBundle(bundle, { cacheFolder });
    const { ino } = await stat(path);
    expect(await compileBundle(bundle, { cacheFolder })).toBe(path);
    expect((await stat(path)).ino).toBe(ino);
    await compileBundle(bundle, { cacheFolder, layers: ['encoder.layer1'] });
    await compileBundle({ ...bundle, contentHash: 'other' }, { cacheFolder });
    expect(await onnxFiles(cacheFolder)).toHaveLength(3);
  });

  test('a file cut off, a bit turned, a seal missing: made again', async () => {
    const cacheFolder = folder();
    const path = await compileBundle(bundle, { cacheFolder });
    const sound = await readFile(path);
    const turned = Uint8Array.from(sound);
    turned[turned.length >> 1]! ^= 1;
    const damage = [
      () => truncate(path, 1000),
      () => writeFile(path, turned),
      () => rm(`${path}.seal`),
      () => rm(path),
    ];
    for (const act of damage) {
      await act();
      expect(await compileBundle(bundle, { cacheFolder })).toBe(path);
      expect(sound.equals(await readFile(path))).toBe(true);
    }
  });

  test('several at once end with one sound file and nothing else', async () => {
    const cacheFolder = folder();
    const paths = await Promise.all(Array.from({ length: 4 }, () => compileBundle(bundle, { cacheFolder })));
    expect(new Set(paths).size).toBe(1);
    expect((await readdir(cacheFolder)).sort()).toEqual(
      [paths[0]!, `${paths[0]}.seal`].map(path => path.slice(cacheFolder.length + 1)),
    );
  });

  test('keeps the sixteen used last', async () => {
    const cacheFolder = folder();
    await mkdir(cacheFolder);
    await writeFile(join(cacheFolder, 'somebody-elses.onnx'), '');
    const killed = join(cacheFolder, `${'a'.repeat(32)}.onnx.${randomUUID()}`);
    await writeFile(killed, 'half');
    await utimes(killed, 0, 0);
    const version = (i: number) => compileBundle({ ...bundle, contentHash: `${i}` }, { cacheFolder });
    const paths: string[] = [];
    for (let i = 0; i < 16; i++) {
      const path = await version(i);
      // As if made an hour apart, long ago.
      await utimes(path, i * 3600, i * 3600);
      paths.push(path);
    }
    await version(0);
    expect(await readdir(cacheFolder)).not.toContain(basename(killed));
    const added = await version(16);
    const left = (await onnxFiles(cacheFolder)).map(name => join(cacheFolder, name));
    expect(new Set(left)).toEqual(
      new Set([...paths.filter((_, i) => i !== 1), added, join(cacheFolder, 'somebody-elses.onnx')]),
    );
  });

  test('weights that are not finite leave nothing behind', async () => {
    const cacheFolder = folder();
    const poison = await makeBundle(
      {
        config: SMALL,
        edit: tensors => {
          tensors.at(-2)!.values[3] = Number.NaN;
          return tensors;
        },
      },
      join(root, 'poison'),
    );
    await expect(compileBundle(await loadBundle(poison), { cacheFolder })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('segmentation_head.0.weight holds NaN at 3'),
    });
    expect(await readdir(cacheFolder)).toEqual([]);
  });

  test('a variance below 0 is refused', async () => {
    const negative = await makeBundle(
      {
        config: SMALL,
        edit: tensors => {
          tensors.find(({ name }) => name === 'encoder.bn1.running_var')!.values[5] = -1;
          return tensors;
        },
      },
      join(root, 'negative'),
    );
    await expect(compileBundle(await loadBundle(negative), { cacheFolder: folder() })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('encoder.bn1.running_var holds -1 at 5'),
    });
  });

  test('a folder that cannot be made says so', async () => {
    const cacheFolder = join(bundle.path, 'config.json', 'cache');
    await expect(compileBundle(bundle, { cacheFolder })).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      fix: expect.stringContaining('XDG_CACHE_HOME'),
    });
  });
});
