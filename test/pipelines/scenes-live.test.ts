import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { slideIdAt } from '#src/slide/open.js';
import { cut, gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';
import { finishedMask, maskOf, watchFor } from './live-support.js';

const picture = gradient(900, 700);
const image = (ifd: number) =>
  `<Image><Pixels SizeC="3" PhysicalSizeX="0.5" PhysicalSizeY="0.5"><TiffData IFD="${ifd}"/></Pixels></Image>`;
const scene = (x: number, width: number): PageOptions => ({
  picture: cut(picture, x, 0, width, 600),
  tile: [128, 128],
});
const FILE = writeTiff([
  { ...scene(0, 700), description: `<OME>${image(0)}${image(1)}</OME>` },
  { ...scene(100, 600) },
]);

describe('an OME-TIFF of two scenes that comes into a watched folder', () => {
  it('is a slide each, with the names and the masks that segment gives them', async () => {
    const { results, out, folder } = await watchFor(2, {}, async to => {
      writeFileSync(join(to, '.a.part'), FILE);
      renameSync(join(to, '.a.part'), join(to, 'a.ome.tif'));
    });
    const paths = [1, 2].map(number => `${join(folder, 'a.ome.tif')}#${number}`);
    const ids = paths.map(slideIdAt);
    expect(results.map(({ id, state }) => [id, state]).toSorted()).toEqual(ids.map(id => [id, 'completed']));
    const masks = await Promise.all(ids.map(id => maskOf(out, id)));
    for (const [i, path] of paths.entries()) expect(masks[i]).toEqual(await finishedMask(path, ids[i]!));
    expect(masks[0]).not.toEqual(masks[1]);
  });
});
