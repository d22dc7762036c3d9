import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SeriesFiles } from '#src/live/dicom/series-files.js';
import { SeriesIndex } from '#src/live/dicom/series-index.js';
import { temporaryFolder } from '../../support/temporary.js';

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
