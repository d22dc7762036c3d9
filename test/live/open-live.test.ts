import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SeriesIndex } from '#src/live/dicom/series-index.js';
import { openLiveOrWhole } from '#src/live/open-live.js';
import { isMarkedDone } from '#src/slide/marked-done.js';
import { failureOf } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';
import { temporaryFolder } from '../support/temporary.js';
import { QUICK } from './follow.js';
import { ndTiffFolder, SUMMARY } from './nd-tiff-folder.js';
import { MANIFEST, tileSetFolder } from './tile-set-folder.js';

const folder = (): string => temporaryFolder('open-live');
const page: PageOptions = { picture: gradient(128, 128), tile: [64, 64], compression: 'jpeg', resolution: 20_000 };
/** Three of four tiles: whoever opens it as a whole slide finds one missing. */
const lacking: PageOptions = { ...page, missing: (col, row) => col + row === 2 };
const tiff = (options: PageOptions, at = folder(), name = 'a.tiff'): string => {
  writeFileSync(join(at, name), writeTiff([options]));
  return join(at, name);
};

const STILL = { settled: true, renamed: false, quiet: 0.1 };
const MOVING = { ...STILL, settled: false, quiet: 0 };
const RENAMED = { ...MOVING, renamed: true };
const open = (path: string, facts = STILL, more: object = {}, notes = {}) =>
  openLiveOrWhole(path, { ...facts, notes }, { ...QUICK, series: new SeriesIndex(dirname(path)), ...more });

/** 'live', 'whole', or what else was made of a file. */
async function kindOf(path: string, facts = STILL, more: object = {}): Promise<string> {
  return kindIn(await open(path, facts, more));
}

function kindIn(opened: Awaited<ReturnType<typeof open>>): string {
  if (!opened) return 'nothing';
  if ('later' in opened) return 'later';
  if ('moving' in opened) return 'moving';
  if ('parts' in opened) return 'parts';
  expect('until' in opened).toBe(true);
  if ('growth' in opened.value) return 'live';
  opened.value.close();
  return 'whole';
}

/** Tries a file as the watcher does: when it is found, and when it stood still for so long. */
async function watched(
  path: string,
  quiet = QUICK.settleSeconds,
  change: () => unknown = () => undefined,
): Promise<string> {
  const notes = {};
  await open(path, MOVING, {}, notes).catch(() => undefined);
  change();
  return kindIn(await open(path, { ...STILL, quiet }, {}, notes));
}

describe('a TIFF of a watched folder', () => {
  it('that lacks tiles is followed, whether it stands still or not', async () => {
    expect([await kindOf(tiff(lacking)), await kindOf(tiff(lacking), MOVING)]).toEqual(['live', 'live']);
  });

  it('that lacks none is a whole slide once it was seen to stand still', async () => {
    expect(await watched(tiff(page))).toBe('whole');
    expect(await watched(tiff(page), QUICK.settleSeconds / 2)).toBe('later');
    const error = await failureOf(() => open(tiff(page), MOVING));
    expect([error.code, error.message]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining('may still be written')]);
    // Nobody looked at it before: that its size and time say nothing does not mean that it stood still.
    expect(await kindOf(tiff(page))).toBe('later');
  });

  it('that is written while its size and time stay is seen by what it holds', async () => {
    const path = tiff({ ...page, compression: 'none' });
    const bytes = readFileSync(path);
    expect(await watched(path, 1, () => writeFileSync(path, bytes.fill(7, 5000, 9000)))).toBe('moving');
  });

  it('that was renamed into place, or marked as done, is whole, whatever it leaves out', async () => {
    expect(await kindOf(tiff(lacking), RENAMED)).toBe('whole');
    for (const marker of ['a.done', 'a.tiff.done']) {
      const path = tiff(lacking);
      writeFileSync(join(path, '..', marker), '');
      expect(await kindOf(path, MOVING), marker).toBe('whole');
    }
  });

  it.each([
    ['zeros where pixels are coded', (bytes: Buffer) => Buffer.alloc(bytes.length), 'live', 'live'],
    ['a tile without its end', (bytes: Buffer) => Buffer.from(bytes).fill(3, bytes.length - 9), 'later', 'later'],
  ])('that has %s is not whole because somebody renamed it', async (_, damage, renamed, still) => {
    const path = tiff({ ...page, damage: (bytes, col, row) => (col + row === 2 ? damage(bytes) : bytes) });
    expect(await kindOf(path, RENAMED)).toBe(renamed);
    expect(await watched(path)).toBe(still);
    if (still === 'later') expect(await watched(path, QUICK.settleSeconds * 3)).toBe('whole');
  });

  it('that was completed before just as it is is opened whatever it lacks', async () => {
    const path = tiff(lacking);
    const isKnown = () => true;
    const notes = {};
    await failureOf(() => open(path, MOVING, { isKnown }, notes));
    expect(kindIn(await open(path, STILL, { isKnown }, notes))).toBe('whole');
  });

  it('that cannot be read says why', async () => {
    const path = tiff(page);
    writeFileSync(path, readFileSync(path).subarray(0, 500));
    expect((await failureOf(() => open(path))).code).toBe('SLIDE_TRUNCATED');
    writeFileSync(path, 'no image at all');
    expect((await failureOf(() => open(path, RENAMED))).code).toBe('SLIDE_UNREADABLE');
  });

  it('of a kind that our reader does not read is not followed, and refused when it is whole', async () => {
    const damage = (tile: Buffer): Buffer => {
      const deep = Buffer.from(tile);
      deep[deep.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
      return deep;
    };
    expect(await kindOf(tiff({ ...lacking, damage }))).toBe('later');
    const stalled = { ...STILL, quiet: QUICK.stallSeconds + 1 };
    for (const opening of [
      () => open(tiff({ ...lacking, damage }), stalled),
      () => watched(tiff({ ...page, damage })),
    ]) {
      const error = await failureOf(opening);
      expect([error.code, error.message]).toEqual(['SLIDE_UNSUPPORTED', expect.stringContaining('has 12-bit samples')]);
    }
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
    const [first, second] = await Promise.all([open(`${path}#1`, RENAMED), open(`${path}#2`, RENAMED)]);
    expect(first).toMatchObject({ value: { opened: { info: { levels: [{ width: 128 }] } } } });
    expect(second).toMatchObject({ value: { opened: { info: { levels: [{ width: 192 }] } } } });
    for (const slide of [first, second]) expect(kindIn(slide)).toBe('whole');
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
    const old = { ...STILL, quiet: QUICK.stallSeconds + 1 };
    expect(await kindOf(set.index, old)).toBe('whole');
    writeFileSync(join(set.folder, '.done'), '');
    const opened = await open(set.index, MOVING);
    // As far as its tiles reach.
    expect(opened).toMatchObject({
      claims: set.folder,
      value: { opened: { info: { levels: [{ width: 8, height: 4 }] } } },
    });
  });
});

describe('a DICOM file that is part of no slide', () => {
  it('is waited for while it reads as zeros, and not for longer than a slide stalls', async () => {
    const path = join(folder(), 'a.dcm');
    writeFileSync(path, Buffer.alloc(5000));
    expect(await kindOf(path)).toBe('later');
    const error = await failureOf(() => open(path, { ...STILL, quiet: QUICK.stallSeconds + 1 }));
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
