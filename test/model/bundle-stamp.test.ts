import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { bundleStamp, modelStamp } from '#src/model/bundle-stamp.js';
import { emptyFolder } from '../support/paths.js';

let root: string;
let bundle: string;
beforeEach(async () => {
  root = await emptyFolder();
  bundle = join(root, 'bundle');
  await mkdir(bundle);
  for (const name of ['config.json', 'model.safetensors', 'stromaflow.json']) await writeFile(join(bundle, name), name);
});

/** Whether the stamp of a path is another one after something happened. */
async function changes(path: string, happen: () => Promise<unknown>): Promise<boolean> {
  const before = await bundleStamp(path);
  expect(before).not.toBe('');
  expect(await bundleStamp(path)).toBe(before);
  await happen();
  return (await bundleStamp(path)) !== before;
}

describe('the stamp of a bundle folder', () => {
  test.each<[string, (folder: string) => Promise<unknown>]>([
    ['a file grows', folder => writeFile(join(folder, 'model.safetensors'), 'longer than it was')],
    ['a file of the same size is written later', folder => utimes(join(folder, 'config.json'), 1, 1)],
    ['a file comes', folder => writeFile(join(folder, 'quantisation.json'), '{}')],
    ['a file goes', folder => rm(join(folder, 'stromaflow.json'))],
    ['a file is renamed', folder => rename(join(folder, 'stromaflow.json'), join(folder, 'other.json'))],
  ])('changes when %s', async (_, happen) => {
    expect(await changes(bundle, () => happen(bundle))).toBe(true);
  });

  test('changes when a file is exchanged for one of the same size and time', async () => {
    const path = join(bundle, 'config.json');
    await utimes(path, 7, 7);
    const exchange = async () => {
      await writeFile(join(root, 'next'), 'CONFIG.JSON');
      await utimes(join(root, 'next'), 7, 7);
      await rename(join(root, 'next'), path);
    };
    expect(await changes(bundle, exchange)).toBe(true);
  });

  test('changes when the link that leads to it is turned to another bundle', async () => {
    const other = join(root, 'other');
    await mkdir(other);
    const link = join(root, 'current');
    await symlink(bundle, link);
    const turn = async () => {
      await symlink(other, `${link}.new`);
      await rename(`${link}.new`, link);
    };
    expect(await changes(link, turn)).toBe(true);
  });

  test('says something while an editor keeps its lock there, a link that leads nowhere', async () => {
    await symlink('somebody@machine.1234', join(bundle, '.#stromaflow.json'));
    expect(await changes(bundle, () => writeFile(join(bundle, 'stromaflow.json'), 'edited, at last'))).toBe(true);
  });

  test('is nothing while nothing is there', async () => {
    expect(await bundleStamp(join(root, 'absent'))).toBe('');
    await symlink(join(root, 'absent'), join(root, 'dangling'));
    expect(await bundleStamp(join(root, 'dangling'))).toBe('');
  });
});

describe('the stamp of an .onnx file', () => {
  let model: string;
  beforeEach(async () => {
    model = join(bundle, 'lab.onnx');
    await writeFile(model, 'graph');
    await writeFile(`${model}.data`, 'weights');
  });

  test('changes with the file', async () => {
    expect(await changes(model, () => writeFile(model, 'another graph'))).toBe(true);
  });

  test('changes with the manifest and the weights beside it, which are part of the bundle', async () => {
    expect(await changes(model, () => writeFile(join(bundle, 'stromaflow.json'), '{"threshold":0.4}'))).toBe(true);
    expect(await changes(model, () => writeFile(`${model}.data`, 'other weights'))).toBe(true);
    expect(await changes(model, () => writeFile(`${model}_data`, 'as torch.onnx names it'))).toBe(true);
    expect(await changes(model, () => rm(join(bundle, 'stromaflow.json')))).toBe(true);
  });

  test('does not change with what else lies in the folder', async () => {
    expect(await changes(model, () => writeFile(join(bundle, 'notes.txt'), 'a note'))).toBe(false);
    expect(await changes(model, () => writeFile(join(bundle, 'other.onnx'), 'another model'))).toBe(false);
  });
});

test('the stamp of an ensemble changes with each of its members, and is empty while one is away', async () => {
  const other = join(root, 'other');
  await mkdir(other);
  await writeFile(join(other, 'config.json'), 'config');
  const source = `${bundle}#frozen, ${other}`;
  const before = await modelStamp(source);
  expect(before).not.toBe('');
  await writeFile(join(other, 'config.json'), 'another config');
  const after = await modelStamp(source);
  expect(after).not.toBe(before);
  await writeFile(join(bundle, 'config.json'), 'a third config');
  expect(await modelStamp(source)).not.toBe(after);
  await rm(other, { recursive: true });
  expect(await modelStamp(source)).toBe('');
});
