import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { Random } from '#src/random.js';
import { writeMask } from '../evaluate/set-builder.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';

export const SIDE = 64;

/** What colours tell: stroma is pink, the rest violet, both with noise; every picture has a border of its own between them. */
export async function writePicture(
  path: string,
  width: number,
  height: number,
  border: number,
  seed = border,
): Promise<void> {
  const random = new Random(seed);
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const stroma = i % width < border;
    const colour = stroma ? [228, 150, 190] : [130, 80, 160];
    data.set(
      colour.map(value => value + random.below(41) - 20),
      i * 3,
    );
  }
  await mkdir(dirname(path), { recursive: true });
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path);
}

/**
 * images/ and masks/ of some patients, 128 × 128 px: label 1 left of a border, 0 right of it, 3 in the lowest rows.
 * @param seed of the noise; those of another have other pixels
 */
export async function pictureSet(count = 8, folder?: string, seed = 0): Promise<string> {
  const path = folder ?? (await emptyFolder());
  for (let i = 0; i < count; i++) {
    const border = 30 + i * 8;
    await writePicture(join(path, 'images', `p${i}.png`), 128, 128, border, seed + border);
    await writeMask(join(path, 'masks', `p${i}.png`), 128, 128, (x, y) => (y >= 120 ? 3 : x < border ? 1 : 0));
  }
  return path;
}

/** A small network, as a bundle to begin with. */
export const smallBundle = (): Promise<string> =>
  makeBundle({
    config: SMALL,
    manifest: { patchSize: SIDE, input: { range: [0, 255], mean: [120, 110, 100], std: [60, 61, 62] } },
  });
