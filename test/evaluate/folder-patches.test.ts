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

test('files that are named, and folders beside them, count as if they lay together', async () => {
  const folder = await folderOf('patch.webp');
  const used: string[] = [];
  const named = await patches(`${folder}, ${SLIDE}`, { onUsed: path => used.push(path) });
  expect(named).toHaveLength(12);
  expect(new Set(used)).toEqual(new Set([join(folder, 'patch.webp'), SLIDE]));
  await expect(patches(`${folder},${join(folder, 'none.png')}`)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});

test('in rounds, whoever stops early has as many of every file', async () => {
  const folder = await folderOf('slide.svs', 'patch.webp');
  const order: string[] = [];
  const found = await patches(folder, { most: 6, round: 1, onUsed: path => order.push(path) });
  expect(found).toHaveLength(6);
  // Told when a file gives its first of a round.
  expect(order).toHaveLength(6);
  for (const i of [0, 2, 4]) expect(new Set(order.slice(i, i + 2)).size).toBe(2);
  expect(new Set(found.map(patch => patch.join())).size).toBe(6);
});

test('full patches have neither padding nor glass in them', async () => {
  const folder = await emptyFolder();
  const whole = sharp(PATCH).removeAlpha();
  // 300 px: two patches of 128 beside each other, and a rest that would be padded.
  await whole.clone().extract({ left: 0, top: 0, width: 300, height: 300 }).png().toFile(join(folder, 'a.png'));
  expect(await patches(folder, { full: false })).toHaveLength(9);
  // At 16, 48, … 144 px in both directions.
  expect(await patches(folder, { full: true, most: 100 })).toHaveLength(25);
  const glass = { create: { width: 256, height: 256, channels: 3 as const, background: '#f4f4f4' } };
  const half = await whole.clone().extract({ left: 0, top: 0, width: 64, height: 256 }).png().toBuffer();
  await sharp(glass)
    .composite([{ input: half, left: 0, top: 0 }])
    .png()
    .toFile(join(folder, 'a.png'));
  expect(await patches(folder, { full: false })).toHaveLength(2);
  expect(await patches(folder, { full: true })).toHaveLength(0);
});

test('a folder without pictures says what to put there', async () => {
  const folder = await emptyFolder();
  await mkdir(join(folder, 'inner'));
  await writeFile(join(folder, 'notes.txt'), 'none');
  await expect(patches(folder)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', fix: expect.stringContaining('H&E') });
});
