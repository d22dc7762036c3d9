import { closeSync, openSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fromFile } from 'geotiff';
import { afterAll, describe, expect, it } from 'vitest';
import { readPages, readTileArrays } from '#src/slide/tiff/page.js';
import { probeTiff } from '#src/slide/tiff/probe.js';
import { SLIDE } from '../../support/paths.js';
import { scratch } from '../fixture.js';
import { gradient, writeTiff } from '../tiff-writer.js';

const ZSTD = fileURLToPath(new URL('../../fixtures/zstd.tif', import.meta.url));
const files = scratch();
afterAll(() => files.remove());

/** What geotiff.js, which is not used otherwise, says of the images of a TIFF. */
async function geotiffPages(path: string) {
  const tiff = await fromFile(path);
  const pages = [];
  for (let index = 0; index < (await tiff.getImageCount()); index++) {
    const { fileDirectory } = await tiff.getImage(index);
    const value = async (tag: number) => (fileDirectory.hasTag(tag) ? fileDirectory.loadValue(tag) : undefined);
    const numbers = async (tag: number) => {
      const found = (await value(tag)) as number | ArrayLike<number> | undefined;
      return found === undefined || typeof found === 'number' ? [found] : Array.from(found);
    };
    const [tiled] = await numbers(322);
    pages.push({
      width: (await numbers(256))[0],
      height: (await numbers(257))[0],
      tileWidth: tiled ?? (await numbers(256))[0],
      tileHeight: (await numbers(323))[0] ?? (await numbers(278))[0],
      compression: (await numbers(259))[0],
      photometric: (await numbers(262))[0],
      samplesPerPixel: (await numbers(277))[0],
      bitsPerSample: await numbers(258),
      description: String((await value(270)) ?? '').replace(/\0+$/, ''),
      offsets: (await numbers(tiled === undefined ? 273 : 324)).map(Number),
      byteCounts: (await numbers(tiled === undefined ? 279 : 325)).map(Number),
    });
  }
  tiff.close();
  return pages;
}

function ourPages(path: string) {
  const fd = openSync(path, 'r');
  try {
    const probe = probeTiff(fd, path, statSync(path).size);
    return readPages(probe).map(page => {
      const { width, height, tileWidth, tileHeight, compression, photometric, samplesPerPixel, description } = page;
      const { offsets, byteCounts } = readTileArrays(probe, page);
      return {
        ...{ width, height, tileWidth, tileHeight, compression, photometric, samplesPerPixel, description },
        bitsPerSample: page.bitsPerSample,
        offsets: [...offsets],
        byteCounts: [...byteCounts],
      };
    });
  } finally {
    closeSync(fd);
  }
}

describe('the tags of a TIFF are what geotiff.js reads', () => {
  it.each([
    ['an Aperio slide', SLIDE],
    ['Zstandard tiles of libtiff', ZSTD],
  ])('%s', async (_, path) => {
    const pages = ourPages(path);
    expect(pages.length).toBeGreaterThan(0);
    expect(pages).toEqual(await geotiffPages(path));
  });

  // Of big-endian files geotiff.js 3.0.5 reads long arrays as little-endian, so that there is one tile.
  it.each([
    [false, false, 17],
    [true, false, 17],
    [false, true, 64],
    [true, true, 64],
  ])('BigTIFF %s, big-endian %s', async (big, bigEndian, side) => {
    const picture = gradient(64, 48);
    const page = { picture, tile: [side, side] as const, description: 'what µ is', resolution: 20_000 };
    const path = files.write(`${big}-${bigEndian}.tif`, writeTiff([page, { picture }], { big, bigEndian }));
    expect(ourPages(path)).toHaveLength(2);
    expect(ourPages(path)).toEqual(await geotiffPages(path));
  });
});
