import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { PatchAssembler } from '#src/read/assemble.js';
import { PixelMemory } from '#src/read/pixel-memory.js';
import { TileCache } from '#src/read/tile-cache.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { SLIDE } from './fixture.js';

/** As in test/golden/slide_golden.py: seams between tiles, the slide's corners, stained and bare glass. */
const CROPS = [
  [0, 0],
  [200, 200],
  [1000, 700],
  [912, 1488],
  [1390, 2000],
  [700, 2600],
  [2150, 2900],
  [1500, 1100],
] as const;
const SIDE = 96;

describe('pixels of the real slide', () => {
  it('are OpenSlide’s, to the bit', async () => {
    const golden = fileURLToPath(new URL('../golden/slide_openslide.png', import.meta.url));
    const { data, info } = await sharp(golden).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const { info: slide, source } = await openSlide(SLIDE);
    const memory = new PixelMemory();
    const assembler = new PatchAssembler(await openTileSource(source), memory, new TileCache(memory, 16 * 2 ** 20));
    const { width: slideWidth, height: slideHeight } = slide.levels[0]!;
    let most = 0;
    let sum = 0;
    for (const [index, [x, y]] of CROPS.entries()) {
      const into = memory.area('crop', SIDE * SIDE * 3);
      await assembler.read(
        { level: 0, scale: 1, x, y, width: SIDE, height: SIDE, slideWidth, slideHeight, nextTop: 0 },
        into,
      );
      const pixels = memory.bytes(into, SIDE * SIDE * 3);
      for (let row = 0; row < SIDE; row++)
        for (let i = 0; i < SIDE * 3; i++) {
          const difference = Math.abs(pixels[row * SIDE * 3 + i]! - data[row * info.width * 3 + index * SIDE * 3 + i]!);
          most = Math.max(most, difference);
          sum += difference;
        }
    }
    expect(most).toBe(0);
    expect(sum).toBe(0);
  });
});
