import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SeriesIndex } from '#src/live/dicom/series-index.js';
import { isMarkedDone } from '#src/live/growing-tiff.js';
import { openLiveOrWhole } from '#src/live/open-live.js';
import { failureOf } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';
import { QUICK } from './follow.js';
import { ndTiffFolder, SUMMARY } from './nd-tiff-folder.js';
import { MANIFEST, tileSetFolder } from './tile-set-folder.js';

const folder = (): string => mkdtempSync(join(tmpdir(), 'stromaflow-open-live-'));
const page: PageOptions = { picture: gradient(128, 128), tile: [64, 64], compression: 'jpeg', resolution: 20_000 };
/** Three of four tiles: whoever opens it as a whole slide finds one missing. */
const lacking: PageOptions = { ...page, missing: (col, row) => col + row === 2 };
const tiff = (options: PageOptions, at = folder(), name = 'a.tiff'): string => {
  writeFileSync(join(at, name), writeTiff([options]));
  return join(at, name);
};

const STILL = { settled: true, renamed: false, quiet: 1, age: 0.05 };
const MOVING = { ...STILL, settled: false, quiet: 0, age: 0 };
const open = (path: string, facts = STILL, more: object = {}) =>
  openLiveOrWhole(path, facts, { ...QUICK, series: new SeriesIndex(dirname(path)), ...more });

/** 'live', 'whole', or what else was made of a file. */
async function kindOf(path: string, facts = STILL, more: object = {}): Promise<string> {
  const opened = await open(path, facts, more);
  if (!opened) return 'nothing';
  if ('later' in opened) return 'later';
  if ('parts' in opened) return 'parts';
  const isLive = 'growth' in opened.value;
  expect('until' in opened).toBe(isLive);
  return isLive ? 'live' : 'whole';
}

describe('a TIFF of a watched folder', () => {
  it('that lacks tiles is followed, whether it stands still or not', async () => {
    expect([await kindOf(tiff(lacking)), await kindOf(tiff(lacking), MOVING)]).toEqual(['live', 'live']);
  });

  it('that lacks none is a whole slide once it stands still', async () => {
    expect(await kindOf(tiff(page))).toBe('whole');
    const error = await failureOf(() => open(tiff(page), MOVING));
    expect([error.code, error.message]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining('may still be written')]);
  });

  it('that was renamed into place, marked as done or left alone for long is whole, whatever it lacks', async () => {
    expect(await kindOf(tiff(lacking), { ...MOVING, renamed: true })).toBe('whole');
    expect(await kindOf(tiff(lacking), { ...MOVING, age: QUICK.stallSeconds + 0.01 })).toBe('whole');
    expect(await kindOf(tiff(lacking), { ...MOVING, age: QUICK.stallSeconds })).toBe('live');
    for (const marker of ['a.done', 'a.tiff.done']) {
      const path = tiff(lacking);
      writeFileSync(join(path, '..', marker), '');
      expect(await kindOf(path, MOVING), marker).toBe('whole');
    }
  });

  it('that cannot be read says why', async () => {
    const path = tiff(page);
    writeFileSync(path, readFileSync(path).subarray(0, 500));
    expect((await failureOf(() => open(path))).code).toBe('SLIDE_TRUNCATED');
    writeFileSync(path, 'no image at all');
    expect((await failureOf(() => open(path, { ...STILL, renamed: true }))).code).toBe('SLIDE_UNREADABLE');
  });

  it('takes the spacing and the name that are given', async () => {
    const opened = await open(tiff(lacking), STILL, { mpp: 0.3, id: 'case_7' });
    expect(opened).toMatchObject({ value: { opened: { info: { id: 'case_7', mpp: 0.3 } } } });
  });
});

describe('an OME-TIFF of two scenes in a watched folder', () => {
  const image = (mpp: number, ifd: number) =>
    `<Image><Pixels SizeC="3" PhysicalSizeX="${mpp}" PhysicalSizeY="${mpp}"><TiffData IFD="${ifd}"/></Pixels></Image>`;
  const description = `<OME>${image(0.5, 0)}${image(0.25, 1)}</OME>`;
  const scenes = (missing: PageOptions['missing'] = () => false): string => {
    const path = join(folder(), 'a.ome.tif');
    writeFileSync(
      path,
      writeTiff([
        { ...page, missing, description },
        { ...page, picture: gradient(192, 64), missing },
      ]),
    );
    return path;
  };

  it('is a slide each, which are opened as files are', async () => {
    const path = scenes();
    expect(await open(path)).toEqual({ parts: [`${path}#1`, `${path}#2`] });
    const [first, second] = await Promise.all([open(`${path}#1`), open(`${path}#2`)]);
    expect(first).toMatchObject({ value: { info: { levels: [{ width: 128 }] } } });
    expect(second).toMatchObject({ value: { info: { levels: [{ width: 192 }] } } });
  });

  it('is followed while it grows, each under its own name', async () => {
    const path = scenes((col, row) => col + row === 1);
    const lives = await Promise.all([open(`${path}#1`), open(`${path}#2`)]);
    const values = lives.map(live => (live && 'value' in live && 'growth' in live.value ? live.value : undefined)!);
    expect(values.map(({ growth }) => growth.identity.replace(/^[0-9a-f]+/, ''))).toEqual(['-scene1', '-scene2']);
    const seen = await Promise.all(
      values.map(async live => {
        const tiles: number[] = [];
        for await (const arrived of live.follow(0, AbortSignal.timeout(60_000))) {
          tiles.push(...arrived.tiles);
          writeFileSync(`${path}.done`, '');
        }
        await live.close();
        return tiles.toSorted((a, b) => a - b);
      }),
    );
    expect(seen).toEqual([
      [0, 3],
      [0, 2],
    ]);
  });
});

describe('what describes a folder of tiles', () => {
  it('is always followed, and claims its folder', async () => {
    const set = tileSetFolder();
    expect(await kindOf(join(set.folder, 'manifest.json'))).toBe('live');
    expect((await open(join(set.folder, 'manifest.json')))?.claims).toBe(set.folder);
  });

  it('is nothing when it is another program’s manifest', async () => {
    const at = folder();
    writeFileSync(join(at, 'manifest.json'), '{"name":"a web page","icons":[]}');
    expect(await kindOf(join(at, 'manifest.json'))).toBe('nothing');
  });

  it('that is half written is tried again', async () => {
    const at = folder();
    writeFileSync(join(at, 'manifest.json'), JSON.stringify(MANIFEST).slice(0, 30));
    expect((await failureOf(() => open(join(at, 'manifest.json')))).code).toBe('SLIDE_UNREADABLE');
  });
});

describe('an NDTiff index', () => {
  const { TileWidth: _, TileHeight: __, ...sizeless } = SUMMARY;

  it('that states its size is followed, and claims its data set', async () => {
    const set = ndTiffFolder();
    expect(await kindOf(set.index, MOVING)).toBe('live');
    expect((await open(set.index))?.claims).toBe(set.folder);
  });

  it('that states none is opened later: when it is done, or nothing changed for long', async () => {
    const set = ndTiffFolder(sizeless);
    set.put(0);
    set.put(1);
    expect(await open(set.index, STILL, { mpp: 0.5 })).toEqual({ later: true, claims: set.folder });
    const old = { ...STILL, age: QUICK.stallSeconds + 1 };
    expect(await kindOf(set.index, old)).toBe('whole');
    writeFileSync(join(set.folder, '.done'), '');
    const opened = await open(set.index, MOVING);
    // As far as its tiles reach.
    expect(opened).toMatchObject({ claims: set.folder, value: { info: { levels: [{ width: 8, height: 4 }] } } });
  });
});

describe('a DICOM file that is part of no slide', () => {
  it('is waited for while it reads as zeros, and not for longer than a slide stalls', async () => {
    const path = join(folder(), 'a.dcm');
    writeFileSync(path, Buffer.alloc(5000));
    expect(await kindOf(path)).toBe('later');
    const error = await failureOf(() => open(path, { ...STILL, age: QUICK.stallSeconds + 1 }));
    expect(error.code).toBe('SLIDE_UNREADABLE');
  });

  it('says what is wrong with it', async () => {
    const path = join(folder(), 'a.dcm');
    writeFileSync(path, 'a letter under the wrong name '.repeat(20));
    const error = await failureOf(() => open(path));
    expect([error.code, error.message]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining(path)]);
  });
});

describe('isMarkedDone', () => {
  it.each([
    ['a.tiff', 'a.tiff.done', true],
    ['a.tiff', 'a.done', true],
    ['a.b.tiff', 'a.b.done', true],
    ['a.b.tiff', 'a.done', false],
    ['a.tiff', 'b.done', false],
    ['a.tiff', '.done', false],
    ['folder', 'folder.done', true],
  ])('%s beside %s: %s', (name, marker, done) => {
    const at = folder();
    writeFileSync(join(at, marker), '');
    expect(isMarkedDone(join(at, name))).toBe(done);
  });

  it('looks into a folder', () => {
    const at = folder();
    expect(isMarkedDone(at)).toBe(false);
    mkdirSync(join(at, '.done'));
    expect(isMarkedDone(at)).toBe(true);
  });
});
