import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findLayout } from '#src/evaluate/layout.js';
import { type PageOptions, plain, writeTiff } from '../slide/tiff-writer.js';
import { runCli } from '../support/cli.js';
import { emptyFolder } from '../support/paths.js';

/** Two scans and a macro image that is far coarser. */
async function slide(): Promise<string> {
  const images: readonly (readonly [side: number, mpp: number])[] = [
    [512, 8],
    [256, 0.5],
    [320, 0.25],
  ];
  const xml = images
    .map(
      ([, mpp], ifd) =>
        `<Image><Pixels SizeC="3" PhysicalSizeX="${mpp}" PhysicalSizeY="${mpp}"><TiffData IFD="${ifd}"/></Pixels></Image>`,
    )
    .join('');
  const pages = images.map(
    ([side], i): PageOptions => ({
      picture: plain(side, side, [200, 140, 180]),
      tile: [64, 64],
      compression: 'deflate',
      ...(i === 0 ? { description: `<OME>${xml}</OME>` } : {}),
    }),
  );
  const path = join(await emptyFolder(), 'case.ome.tif');
  writeFileSync(path, writeTiff(pages));
  return path;
}

const square = (side: number) =>
  JSON.stringify({
    type: 'FeatureCollection',
    features: [
      {
        type: 'Feature',
        properties: { classification: { name: 'stroma' } },
        geometry: {
          type: 'Polygon',
          coordinates: [
            [
              [0, 0],
              [side, 0],
              [side, side],
              [0, side],
              [0, 0],
            ],
          ],
        },
      },
    ],
  });

const finished = (out: string) =>
  readdirSync(out)
    .filter(name => name.includes('-scene'))
    .toSorted();

describe('stromaflow with an OME-TIFF of several scenes', () => {
  it('segments each scene of tissue as a slide of its own, and says what it left out', async () => {
    const [path, out] = [await slide(), await emptyFolder()];
    const { status } = await runCli(['segment', path, '--engine', 'null', '--out', out]);
    expect(status).toBe(0);
    const ids = finished(out);
    expect(ids).toEqual([expect.stringMatching(/^case.*-scene2$/), expect.stringMatching(/^case.*-scene3$/)]);
    for (const [i, width] of [256, 320].entries()) {
      const summary = JSON.parse(await readFile(join(out, ids[i]!, 'summary.json'), 'utf8'));
      expect(summary).toMatchObject({
        state: 'completed',
        source: { file: `case.ome.tif#${i + 2}`, width },
      });
      expect(summary.notes[0]).toEqual({
        code: 'image-left-out',
        message: expect.stringMatching(/scene 1 of 3, 512 × 512 px at 8 µm: an overview/),
      });
    }
  });

  it('segments one that is named, and scores it by a truth of its own', async () => {
    const [path, out] = [await slide(), await emptyFolder()];
    writeFileSync(path.replace('.tif', '-scene3.geojson'), square(160));
    const { status } = await runCli(['segment', `${path}#3`, '--engine', 'null', '--out', out, '--positive', 'stroma']);
    expect(status).toBe(0);
    const [id] = finished(out);
    const summary = JSON.parse(await readFile(join(out, id!, 'summary.json'), 'utf8'));
    expect(summary.source.width).toBe(320);
    expect(JSON.stringify(summary)).toMatch(/"iou"/i);
  });

  it('takes one truth for none of several scenes', async () => {
    const [path, out] = [await slide(), await emptyFolder()];
    const truth = path.replace('.ome.tif', '-truth.geojson');
    writeFileSync(truth, square(160));
    const options = ['--engine', 'null', '--out', out, '--positive', 'stroma', '--labels', truth];
    const { stderr } = await runCli(['segment', path, ...options]);
    expect(stderr.match(/is one truth for the several scenes/g)).toHaveLength(2);
    const named = await runCli(['segment', `${path}#3`, ...options, '--fresh']);
    expect(named.stderr).not.toContain('several scenes');
  });

  it('replays one by its number', async () => {
    const [path, out] = [await slide(), await emptyFolder()];
    const truth = path.replace('.ome.tif', '-truth.geojson');
    writeFileSync(truth, square(160));
    const { status, stderr } = await runCli([
      'replay',
      `${path}#3`,
      '--labels',
      truth,
      '--positive',
      'stroma',
      '--engine',
      'null',
      '--out',
      out,
    ]);
    expect(stderr).not.toMatch(/no such file/);
    expect(status).toBe(0);
  });

  it.each(['beside', 'in a folder'])(
    'replays each scene of a set by a truth of its own, %s the slides',
    async place => {
      const path = await slide();
      const folder = dirname(path);
      const [images, truths] =
        place === 'beside' ? [folder, folder] : [join(folder, 'images'), join(folder, 'annotations')];
      mkdirSync(images, { recursive: true });
      mkdirSync(truths, { recursive: true });
      renameSync(path, join(images, 'case.ome.tif'));
      writeFileSync(join(truths, 'case.ome-scene2.geojson'), square(128));
      writeFileSync(join(truths, 'case.ome-scene3.geojson'), square(320));
      const layout = await findLayout(folder);
      expect(
        layout.candidates.map(({ imagePath, labels }) => [basename(imagePath), basename(labels?.path ?? '')]),
      ).toEqual([
        ['case.ome.tif#2', 'case.ome-scene2.geojson'],
        ['case.ome.tif#3', 'case.ome-scene3.geojson'],
      ]);
      const out = await emptyFolder();
      const { status, stderr } = await runCli([
        'replay',
        folder,
        '--positive',
        'stroma',
        '--engine',
        'null',
        '--out',
        out,
      ]);
      expect([status, stderr]).toEqual([0, '']);
      const { images: scored } = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')).models[0];
      expect(scored).toHaveLength(2);
    },
  );

  it('has faults for scenes without a truth, and gives them none that is of the file', async () => {
    const path = await slide();
    writeFileSync(path.replace('.tif', '-scene2.geojson'), square(128));
    writeFileSync(path.replace('.tif', '.geojson'), square(320));
    const { candidates } = await findLayout(dirname(path));
    expect(candidates.map(({ labels }) => labels && basename(labels.path))).toEqual([
      'case.ome-scene2.geojson',
      undefined,
    ]);
  });
});
