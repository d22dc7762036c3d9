import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide, slideIdAt } from '#src/slide/open.js';
import { findTiles, slidesAt } from '#src/slide/tile-folder/find-tiles.js';
import { fast, tilesOf } from '../../simulate/slides.js';
import { PARAMETERS } from '../../support/field-scan.js';
import { failureOf, SLIDE, scratch } from '../fixture.js';

const files = scratch();
afterAll(() => files.remove());
const put = (name: string, text = ''): string => {
  mkdirSync(dirname(files.path(name)), { recursive: true });
  writeFileSync(files.path(name), text);
  return files.path(name);
};
const MANIFEST = JSON.stringify({
  width: 100,
  height: 90,
  tileWidth: 64,
  tileHeight: 64,
  mpp: 0.5,
  pattern: '{col}_{row}.png',
});
const DZI = '<Image TileSize="64" Overlap="1" Format="png"><Size Width="100" Height="90"/></Image>';
const PLAN = 'region,x (mm),y (mm),z (mm)\nA1,0,0,0\nA2,9,0,0\n';
const VISITED = 'region,fov,z_level,x (mm),y (mm),z (um),time\nA1,0,0,0,0,0,t\nA2,0,0,9,0,0,t\n';

describe('findTiles', () => {
  it.each([
    ['tiles/manifest.json', MANIFEST, 'tiles', 'tiles'],
    ['zoom/ImageProperties.xml', '<IMAGE_PROPERTIES WIDTH="100" HEIGHT="90" TILESIZE="64" />', 'zoom', 'zoom'],
    ['nd/NDTiff.index', '', 'nd', 'nd'],
    ['deep/slide.dzi', DZI, 'deep', 'slide'],
    ['lab/coordinates.csv', 'file,x,y\na.png,0,0\n', 'lab', 'lab'],
  ])('finds %s by its folder, and calls the slide by it', (name, text, folder, id) => {
    const path = put(name, text);
    expect(findTiles(path)).toBe(path);
    expect(findTiles(files.path(folder))).toBe(path);
    expect([slideIdAt(path), slideIdAt(files.path(folder)), slideIdAt(`${files.path(folder)}/`)]).toEqual([id, id, id]);
    expect(slidesAt(path)).toEqual([path]);
  });

  it('knows a DeepZoom by the folder of its tiles', () => {
    const path = put('pair/one.dzi', DZI);
    put('pair/one_files/8/0_0.png');
    expect(findTiles(files.path('pair/one_files'))).toBe(path);
  });

  it('wants one named of several', async () => {
    put('many/a.dzi', DZI);
    put('many/b.dzi', DZI);
    const failure = await failureOf(() => openSlide(files.path('many')));
    expect(failure.message).toContain('2 DeepZoom slides');
    expect(failure.fix).toMatch(/name one, such as [ab]\.dzi/);
  });

  it('passes over what is about something else', () => {
    put('other/manifest.json', '{"name":"an app"}');
    put('other/coordinates.csv', 'lat,lon\n1,2\n');
    expect(findTiles(files.path('other'))).toBeUndefined();
    expect(slidesAt(files.path('other'))).toEqual([files.path('other')]);
    expect(findTiles(SLIDE)).toBeUndefined();
  });

  it('says of a folder without a slide what would be one', async () => {
    const failure = await failureOf(() => openSlide(dirname(put('notes/readme.txt', 'hello'))));
    expect(failure).toMatchObject({
      code: 'SLIDE_UNREADABLE',
      message: expect.stringContaining('a folder without a slide'),
    });
    for (const kind of ['DICOM', 'manifest.json', '.dzi', 'ImageProperties.xml', 'coordinates.csv', 'NDTiff.index'])
      expect(failure.fix).toContain(kind);
  });

  it('gives an acquisition of several regions as one slide a region, by plan or by time point', async () => {
    put('scan/acquisition parameters.json', JSON.stringify(PARAMETERS));
    const plan = put('scan/coordinates.csv', PLAN);
    const later = put('scan/0/coordinates.csv', VISITED);
    for (const path of [files.path('scan'), plan, files.path('scan/0'), later])
      expect(slidesAt(path)).toEqual([`${plan}#A1`, `${plan}#A2`]);
    expect(slideIdAt(`${plan}#A2`)).toBe('scan--A2');
    expect(findTiles(`${later}#A2`)).toBe(`${plan}#A2`);
    expect((await failureOf(() => openSlide(plan))).fix).toContain(`${plan}#A1`);
    expect((await failureOf(() => openSlide(`${plan}#B9`))).message).toContain('no region "B9"');
    expect((await failureOf(() => openSlide(`${plan}#A1`))).message).toContain('no images');
  });

  it('gives the time points of an acquisition without a plan, each a slide', () => {
    put('times/acquisition parameters.json', JSON.stringify({ ...PARAMETERS, Nt: 2 }));
    put('times/coordinates.csv', PLAN);
    const tables = [0, 1].map(time => put(`times/${time}/coordinates.csv`, VISITED.split('A2')[0]!));
    expect(slidesAt(files.path('times'))).toEqual(tables);
    expect(tables.map(slideIdAt)).toEqual(['times--0', 'times--1']);
  });
});

describe('openSlide of a finished folder', () => {
  it('counts what lacks, and has another fingerprint when a tile changes', async () => {
    const { path } = await simulateScan(SLIDE, files.path('in'), fast('tile-folder', 'rows', { drop: 3 }));
    const slide = await openSlide(path);
    expect(slide.info).toMatchObject({
      id: 'CMU-1-Small-Region',
      format: 'tile folder',
      path: `${path}/manifest.json`,
    });
    expect(slide.stored!(0)).toMatchObject({ expected: 130, seen: 127 });
    expect((await openSlide(`${path}/manifest.json`)).info).toEqual(slide.info);
    put('in/CMU-1-Small-Region/X5Y5.jpg', 'other');
    expect((await openSlide(path)).info.fingerprint).not.toBe(slide.info.fingerprint);
  });

  it('reads an NDTiff data set to the pixels of the slide', async () => {
    const { path } = await simulateScan(SLIDE, files.path('nd'), fast('ndtiff', 'random', { drop: 2, duplicate: 2 }));
    const wanted = await tilesOf(await openSlide(SLIDE));
    for (const at of [path, `${path}/NDTiff.index`]) {
      const slide = await openSlide(at);
      expect(slide.stored!(0)).toMatchObject({ expected: 130, seen: 128 });
      const tiles = await tilesOf(slide);
      const missing = Object.values(tiles).filter(tile => tile === 'missing');
      expect(missing).toHaveLength(2);
      for (const [place, tile] of Object.entries(tiles)) if (tile !== 'missing') expect(tile).toBe(wanted[place]);
    }
  });

  it('needs the spacing', async () => {
    const path = put('bare/manifest.json', MANIFEST.replace('"mpp":0.5,', ''));
    expect((await failureOf(() => openSlide(path))).code).toBe('SLIDE_NO_MPP');
    expect((await openSlide(path, { mpp: 0.5 })).info.mpp).toBe(0.5);
  });
});
