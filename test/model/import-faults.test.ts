import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadExact } from '#src/engine/load-exact.js';
import { loadBundle } from '#src/model/bundle.js';
import { importBundle } from '#src/model/import.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';

let root: string;
let saved: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'import-faults-'));
  saved = await makeBundle({ config: SMALL, manifest: { threshold: 0.3, licence: 'MIT' } }, join(root, 'saved'));
});
afterAll(() => rm(root, { recursive: true }));

let next = 0;
/** A copy of the bundle that may be spoilt. */
async function copy(): Promise<string> {
  const path = join(root, `copy-${next++}`);
  await cp(saved, path, { recursive: true });
  return path;
}

describe('an import that fails', () => {
  test('leaves the bundle that it was to replace, to the byte', async () => {
    const target = await copy();
    const before = (await loadBundle(target)).contentHash;
    const damaged = await copy();
    const weights = await readFile(join(damaged, 'model.safetensors'));
    await writeFile(join(damaged, 'model.safetensors'), weights.subarray(0, 5000));
    await expect(importBundle(damaged, target, { overwrite: true })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    await expect(importBundle(saved, target, { overwrite: true, manifest: { threshold: 2 } })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    });
    // Found out only when the new bundle is whole.
    const quantisation = { patches: 1, ranges: {} };
    await expect(importBundle(saved, target, { overwrite: true, quantisation })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('the range of'),
    });
    expect((await loadBundle(target)).contentHash).toBe(before);
  });

  test('half way, with a tensor that cannot be halved, leaves nothing beside it', async () => {
    const folder = join(root, 'tidy');
    await mkdir(folder);
    const strange = await makeBundle(
      {
        config: SMALL,
        edit: all => [...all, { name: 'head.extra', shape: [2], values: Float32Array.of(1, Number.NaN) }],
      },
      join(root, 'strange'),
    );
    await expect(importBundle(strange, join(folder, 'out'), { half: true })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('tensor head.extra holds NaN at 1'),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  test('because it was stopped says so, and leaves nothing', async () => {
    const folder = join(root, 'stopped');
    await mkdir(folder);
    const reason = new Error('stop');
    await expect(importBundle(saved, join(folder, 'out'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  test.each(['', '.'])('because the target is the folder it is in (%j) says that it exists', async target => {
    await expect(importBundle(saved, target)).rejects.toMatchObject({
      code: 'USAGE',
      message: `${process.cwd()} exists`,
      fix: expect.stringContaining('--overwrite'),
    });
  });
});

describe('what is stated', () => {
  const statement = async (bundle: string): Promise<unknown> =>
    JSON.parse(await readFile(join(bundle, 'stromaflow.json'), 'utf8'));

  test('by the source stays, what is given now replaces it, and nothing that is assumed is written down', async () => {
    const target = join(root, 'stated');
    const bundle = await importBundle(saved, target, { manifest: { threshold: 0.6, provenance: 'here' } });
    expect(await statement(target)).toEqual({
      ...((await statement(saved)) as object),
      threshold: 0.6,
      provenance: 'here',
    });
    expect(bundle.assumed).toEqual(['classes', 'input', 'metrics']);
  });

  test('where nothing is: the name of the folder, and a first version', async () => {
    const plain = await copy();
    await rm(join(plain, 'stromaflow.json'));
    const target = join(root, 'lab-model');
    await importBundle(plain, target);
    expect(await statement(target)).toEqual({ name: 'lab-model', version: '1.0.0' });
  });
});

describe('a bundle behind a link', () => {
  test('is that bundle, and stays it when the link is turned', async () => {
    const [one, other, link] = [await copy(), await copy(), join(root, 'current')];
    await symlink(one, link);
    const bundle = await loadBundle(link);
    expect(bundle.path).toBe(one);
    await rm(link);
    await symlink(other, link);
    expect((await loadBundle(bundle.path)).version).toBe(bundle.version);
  });

  test('that replaces a bundle takes the place of the link, not of what it led to', async () => {
    const [precious, link] = [await copy(), join(root, 'linked')];
    await symlink(precious, link);
    await importBundle(saved, link, { overwrite: true, manifest: { threshold: 0.9 } });
    expect((await loadBundle(link)).threshold).toBe(0.9);
    expect((await loadBundle(precious)).threshold).toBe(0.3);
  });
});

test('halving drops the counters of training and keeps every tensor of weights', async () => {
  const target = join(root, 'halved');
  await importBundle(saved, target, { half: true });
  const [from, to] = await Promise.all(
    [saved, target].map(path => SafetensorsFile.open(join(path, 'model.safetensors'))),
  );
  await Promise.all([from!.close(), to!.close()]);
  expect([...to!.tensors.keys()]).toEqual([...from!.tensors.keys()]);
  for (const { dtype, shape, name } of to!.tensors.values())
    expect({ dtype, shape }).toEqual({ dtype: 'F16', shape: from!.tensors.get(name)!.shape });
});

test('a value that float16 has no room for is named, and no bundle is made of it that could not run', async () => {
  const withVariance = (value: number) =>
    makeBundle(
      {
        config: SMALL,
        edit: all => {
          all.find(({ name }) => name === 'encoder.bn1.running_var')!.values[3] = value;
          return all;
        },
      },
      join(root, `variance-${value}`),
    );
  const target = join(root, 'too-large');
  await expect(importBundle(await withVariance(65_520), target, { half: true })).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
    message: expect.stringMatching(/tensor encoder\.bn1\.running_var holds 65520 at 3, too large for float16$/),
    fix: 'import the model without --half',
  });
  await expect(loadBundle(target)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  await importBundle(await withVariance(65_519), target, { half: true });
  const file = await SafetensorsFile.open(join(target, 'model.safetensors'));
  expect((await file.read('encoder.bn1.running_var'))[3]).toBe(65_504);
  await file.close();
});

describe('a bundle for an engine', () => {
  test('is the version that was asked for, or whatever it is', async () => {
    const path = await copy();
    const { version } = await loadBundle(path);
    expect((await loadExact({ model: path, modelVersion: version, engine: 'cpu' })).version).toBe(version);
    await writeFile(join(path, 'stromaflow.json'), JSON.stringify({ name: 'formula', version: '2.0.0' }));
    const changed = await loadExact({ model: path, modelVersion: null, engine: 'tfjs-wasm' });
    expect(changed.version).toMatch(/^2\.0\.0\+/);
    await expect(loadExact({ model: path, modelVersion: version, engine: 'cpu' })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: `${path} was ${version} and is ${changed.version} now`,
      fix: expect.stringContaining('SIGHUP'),
    });
  });
});
