import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { SeriesFiles } from '#src/live/dicom/series-files.js';
import { SeriesIndex } from '#src/live/dicom/series-index.js';
import { seenFile } from '#src/watch/folder-tree.js';
import { temporaryFolder } from '../../support/temporary.js';
import { half, instance } from './growing-folder.js';

afterEach(() => {
  vi.restoreAllMocks();
});

it('tells what came after the folder was listed from what the listing had, also before anybody asks', async () => {
  const root = temporaryFolder('series');
  const folder = join(root, 'slide');
  mkdirSync(folder);
  utimesSync(folder, 1000, 1000);
  const files = new SeriesFiles(folder, join(folder, 'a.dcm'), '1.2.3', new SeriesIndex(root));
  await files.look();
  expect(files.listedHint).toBe(files.hint);
  writeFileSync(join(folder, 'b.dcm'), '');
  utimesSync(folder, 2000, 2000);
  expect(files.listedHint).not.toBe(files.hint);
  await files.look();
  expect(files.listedHint).toBe(files.hint);
});

it('meets a file whose first bytes came long after its folder was listed, once the watcher found what it is', async () => {
  const root = temporaryFolder('series');
  const folder = join(root, 'slide');
  mkdirSync(folder);
  const index = new SeriesIndex(root);
  const noticed = (name: string) => index.slideOf(seenFile(join(folder, name), statSync(join(folder, name))));
  writeFileSync(join(folder, '1'), half('1.2', { series: '1.2.3' }));
  const path = noticed('1');
  const files = index.find(path!)!;
  const later = instance('1.1', { series: '1.2.3' });
  // No scanner names them so that their names would tell; this one is room that was reserved.
  writeFileSync(join(folder, '0'), Buffer.alloc(later.length));
  await files.look();
  const listedAt = performance.now();
  expect([...files.files.keys()]).toEqual(['1']);
  // Listed again only while the folder may still have the time that it had then.
  vi.spyOn(performance, 'now').mockImplementation(() => listedAt + 5000);
  await files.look();
  const { listedHint } = files;
  vi.spyOn(performance, 'now').mockImplementation(() => listedAt + 10_000);
  await files.look();
  writeFileSync(join(folder, '0'), later);
  await files.look();
  expect([...files.files.keys()]).toEqual(['1']);
  expect(files.hint).toBe(listedHint);
  expect(index.isPart(join(folder, '0'))).toBe(true);
  expect(noticed('0')).toBe(path);
  expect(files.hint).not.toBe(listedHint);
  await files.look();
  expect([...files.files.keys()].toSorted()).toEqual(['0', '1']);
});
