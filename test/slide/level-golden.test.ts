import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const SHARED = fileURLToPath(new URL('../../../shared/data/slides', import.meta.url));
const { openslide: _, ...HASHES }: Record<string, string> = JSON.parse(
  readFileSync(new URL('../golden/level_hashes.json', import.meta.url), 'utf8'),
);

/** The finest level, RGB. */
async function pixelsOf(path: string): Promise<Buffer> {
  const { source } = await openSlide(path, { mpp: 0.5 });
  const tiles = await openTileSource(source);
  const { width, height, tileWidth, tileHeight } = tiles.levels[0]!;
  const pixels = Buffer.alloc(width * height * 3);
  const tile = Buffer.alloc(tileWidth * tileHeight * 3);
  for (let row = 0; row * tileHeight < height; row++)
    for (let col = 0; col * tileWidth < width; col++) {
      const state = await tiles.readTile(0, col, row, tile);
      // Zeros that fill a raw frame up past the slide's edge are no pixels of it.
      if (typeof state === 'object')
        for (const { x, y } of state.gaps)
          expect(x >= width - col * tileWidth || y >= height - row * tileHeight).toBe(true);
      else expect(state).toBe('decoded');
      const bytes = Math.min(tileWidth, width - col * tileWidth) * 3;
      for (let y = 0; y < Math.min(tileHeight, height - row * tileHeight); y++) {
        const from = y * tileWidth * 3;
        tile.copy(pixels, ((row * tileHeight + y) * width + col * tileWidth) * 3, from, from + bytes);
      }
    }
  tiles.close();
  return pixels;
}

const pathOf = (name: string) => [FIXTURES, SHARED].map(folder => join(folder, name)).find(existsSync);

describe('every pixel of the finest level is the reference’s', () => {
  for (const [name, hash] of Object.entries(HASHES)) {
    const path = pathOf(name);
    it.skipIf(!path)(path ? name : `${name}, which is not in ../shared/data/slides`, async () => {
      expect(
        createHash('sha256')
          .update(await pixelsOf(path!))
          .digest('hex'),
      ).toBe(hash);
    });
  }
});
