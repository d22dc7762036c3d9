import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { type FolderPatchesOptions, folderPatches } from '#src/evaluate/folder-patches.js';
import { emptyFolder } from '../support/paths.js';

const SLIDE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));
const PATCH = fileURLToPath(new URL('../golden/model_patch.webp', import.meta.url));
const options: FolderPatchesOptions = { spacing: 0.5, patchSize: 128, most: 12, seed: 1 };

async function patches(folder: string, given: Partial<FolderPatchesOptions> = {}) {
  const found: Uint8Array[] = [];
  for await (const patch of folderPatches(folder, { ...options, ...given })) found.push(patch);
  return found;
}

async function folderOf(...names: readonly ('slide.svs' | 'patch.webp')[]): Promise<string> {
  const folder = await emptyFolder();
  for (const name of names) await copyFile(name === 'slide.svs' ? SLIDE : PATCH, join(folder, name));
  return folder;
}

test('patches of pictures and slides, shared out evenly, the same for the same seed', async () => {
  const folder = await folderOf('slide.svs', 'patch.webp');
  const drawn = await patches(folder);
  expect(drawn).toHaveLength(12);
  for (const patch of drawn) expect(patch.length).toBe(128 * 128 * 3);
  expect(await patches(folder)).toEqual(drawn);
  expect(await patches(folder, { seed: 2 })).not.toEqual(drawn);
  // The picture is the 512 px from (1024, 1024) of the slide, so that its patches are known.
  const of = sharp(PATCH).removeAlpha();
  const whole = await of.raw().toBuffer();
  const own = drawn.filter(patch =>
    Array.from({ length: 16 }, (_, i) => [(i % 4) * 128, (i >> 2) * 128] as const).some(([x, y]) =>
      Array.from({ length: 128 }, (_, row) => row).every(row => {
        const at = ((y + row) * 512 + x) * 3;
        return Buffer.compare(whole.subarray(at, at + 384), patch.subarray(row * 384, (row + 1) * 384)) === 0;
      }),
    ),
  );
  expect(own.length).toBeGreaterThanOrEqual(6);
});

test('pictures at another spacing are brought to that of the patches', async () => {
  const folder = await folderOf('patch.webp');
  expect(await patches(folder, { most: 100 })).toHaveLength(16);
  expect(await patches(folder, { most: 100, mpp: 1 })).toHaveLength(64);
});

test('glass gives none; what cannot be read is told and left out', async () => {
  const folder = await folderOf('patch.webp');
  const glass = { create: { width: 256, height: 256, channels: 3 as const, background: '#f4f4f4' } };
  await sharp(glass).png().toFile(join(folder, 'glass.png'));
  await writeFile(join(folder, 'broken.svs'), 'no slide');
  const unreadable: unknown[] = [];
  expect(await patches(folder, { onUnreadable: error => unreadable.push(error) })).toHaveLength(12);
  expect(unreadable).toEqual([expect.objectContaining({ code: 'SLIDE_UNREADABLE' })]);
  await expect(patches(folder)).rejects.toMatchObject({ code: 'SLIDE_UNREADABLE' });
});

test('a folder without pictures says what to put there', async () => {
  const folder = await emptyFolder();
  await mkdir(join(folder, 'inner'));
  await writeFile(join(folder, 'notes.txt'), 'none');
  await expect(patches(folder)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', fix: expect.stringContaining('H&E') });
});
