import { mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FolderTree, statFiles } from '#src/watch/folder-tree.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = async (): Promise<string> => temporaryFolder('tree');

const listed = async (tree: FolderTree, root: string): Promise<string[]> =>
  (await tree.files()).map(path => relative(root, path)).sort();

describe('FolderTree', () => {
  it('finds new, nested and removed files', async () => {
    const root = await folder();
    const tree = new FolderTree(root, () => false);
    expect(await listed(tree, root)).toEqual([]);
    await mkdir(join(root, 'a', 'b'), { recursive: true });
    await writeFile(join(root, 'a', 'b', 'deep'), '');
    await writeFile(join(root, 'top'), '');
    expect(await listed(tree, root)).toEqual(['a/b/deep', 'top']);
    expect([...tree.folders].map(path => relative(root, path)).sort()).toEqual(['', 'a', 'a/b']);
    await rm(join(root, 'a'), { recursive: true });
    expect(await listed(tree, root)).toEqual(['top']);
    expect([...tree.folders]).toEqual([root]);
  });

  it.each([
    ['long ago', new Date(2020, 1, 1)],
    ['in the future', new Date(2090, 1, 1)],
  ])('does not list a folder again whose time, %s, was seen to stand still', async (_, time) => {
    const clock = vi.spyOn(performance, 'now');
    const root = await folder();
    const put = async (name: string): Promise<void> => {
      await writeFile(join(root, name), '');
      await utimes(root, time, time);
    };
    await put('one');
    const tree = new FolderTree(root, () => false);
    clock.mockReturnValue(1000);
    expect(await listed(tree, root)).toEqual(['one']);
    // Its time may be so coarse that it hides another change.
    await put('two');
    clock.mockReturnValue(5000);
    expect(await listed(tree, root)).toEqual(['one', 'two']);
    await put('three');
    expect(await listed(tree, root)).toEqual(['one', 'two']);
    clock.mockReturnValue(65_001);
    expect(await listed(tree, root)).toEqual(['one', 'three', 'two']);
    await writeFile(join(root, 'four'), '');
    expect(await listed(tree, root)).toEqual(['four', 'one', 'three', 'two']);
    clock.mockRestore();
  });

  it('leaves out what is ignored, hidden folders, and links', async () => {
    const root = await folder();
    const outside = await folder();
    await writeFile(join(outside, 'secret'), '');
    await symlink(outside, join(root, 'link'));
    await symlink(join(outside, 'secret'), join(root, 'linked'));
    for (const name of ['.hidden', 'no', 'yes']) {
      await mkdir(join(root, name));
      await writeFile(join(root, name, 'file'), '');
    }
    const tree = new FolderTree(root, path => path === join(root, 'no'));
    expect(await listed(tree, root)).toEqual(['yes/file']);
  });

  it('rejects when the root is not there, and passes over files that are gone', async () => {
    await expect(new FolderTree('/nowhere/at/all', () => false).files()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await statFiles(['/nowhere/at/all'])).toEqual([]);
  });
});
