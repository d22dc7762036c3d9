// Makes test/fixtures/zstd.tif: a crop of the CC0 slide as libtiff writes Zstandard, which states no size in its frames, with
// horizontal differencing. Needs Debian's libtiff-tools: node test/golden/zstd_fixture.mjs
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const path = name => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'zstd-'));
const plain = join(folder, 'plain.tif');
await sharp(path('CMU-1-Small-Region.svs'), { page: 0 })
  .extract({ left: 900, top: 1200, width: 90, height: 70 })
  .removeAlpha()
  .tiff({ compression: 'none', xres: 2000, yres: 2000, resolutionUnit: 'cm' })
  .toFile(plain);
execFileSync('tiffcp', ['-c', 'zstd:2', '-t', '-w', '32', '-l', '32', plain, path('zstd.tif')]);
rmSync(folder, { recursive: true });
