import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { askOpenSlide } from '#src/slide/openslide/ask-openslide.js';
import type { OpenSlideDescription } from '#src/slide/openslide/openslide-source.js';
import { failureOf, SLIDE, scratch } from '../fixture.js';
import { gradient, plain, writeTiff } from '../tiff-writer.js';
import { installed, orWhy } from './installed.js';
import { writeScn } from './scn.js';

const files = scratch();
afterAll(() => files.remove());

const levels = [{ number: 0, width: 2220, height: 2967, downsample: 1, mpp: 0.5, tileWidth: 240, tileHeight: 240 }];
const described = (path: string): OpenSlideDescription => ({ kind: 'openslide', path, levels });

describe('askOpenSlide', () => {
  it('tells what the library knows of a slide, and nothing about the patient', async () => {
    const facts = await askOpenSlide(SLIDE);
    if (installed === undefined) return expect(facts).toMatchObject({ why: 'is not installed' });
    expect(facts).toMatchObject({
      format: 'Aperio SVS (OpenSlide)',
      mpp: { x: 0.499, y: 0.499 },
      levels: [{ width: 2220, height: 2967, downsample: 1, tileWidth: 480, tileHeight: 480 }],
      properties: { reader: `OpenSlide ${installed}`, objective: '20' },
    });
    expect(facts).not.toHaveProperty('bounds');
    expect(JSON.stringify(facts)).not.toContain('b414003d');
  });

  it.skipIf(installed === undefined)(`says why it does not read other files${orWhy}`, async () => {
    const version = installed;
    const why = 'does not know this kind of file';
    expect(await askOpenSlide(files.write('text.svs', 'not a slide'))).toMatchObject({ version, why });
    expect(await askOpenSlide(files.path('none'))).toMatchObject({ version, why });
    const lies = writeTiff([{ picture: gradient(64, 64), tile: [32, 32], description: LEICA }]);
    const refusal = await askOpenSlide(files.write('lies.scn', lies));
    expect(refusal).toMatchObject({ version, why: expect.any(String) });
    expect(refusal).not.toHaveProperty('levels');
  });

  it.skipIf(installed === undefined)(`gives up when its signal aborts${orWhy}`, async () => {
    const abort = new AbortController();
    const asking = askOpenSlide(SLIDE, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
    await expect(askOpenSlide(SLIDE, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });
});

const LEICA = '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection/></scn>';

describe('OpenSlideSource', () => {
  it('reads the pixels that our own reader reads', async () => {
    if (installed === undefined) {
      const error = await failureOf(() => openTileSource(described(SLIDE)));
      expect(error.code).toBe('SLIDE_UNSUPPORTED');
      return;
    }
    const theirs = await openTileSource(described(SLIDE));
    const ours = await openTileSource((await openSlide(SLIDE)).source);
    const [a, b] = [new Uint8Array(240 * 240 * 3), new Uint8Array(240 * 240 * 3)];
    for (const [col, row] of [
      [0, 0],
      [4, 6],
      [9, 12],
    ] as const) {
      expect(await theirs.readTile(0, col, row, a)).toBe('decoded');
      expect(await ours.readTile(0, col, row, b)).toBe('decoded');
      const across = Math.min(240, 2220 - col * 240);
      const down = Math.min(240, 2967 - row * 240);
      let most = 0;
      for (let y = 0; y < down; y++)
        for (let i = y * 720; i < y * 720 + across * 3; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
      expect(most).toBe(0);
    }
    theirs.close();
    ours.close();
  });

  const lossy = fileURLToPath(new URL('../../../../shared/data/slides/tcga-cr-7395-01a-01-ts1.svs', import.meta.url));
  const why = installed === undefined ? 'libopenslide is not installed' : 'its slide is not in ../shared/data/slides';
  const absent = installed === undefined || !existsSync(lossy);
  it.skipIf(absent)(`reads the JPEG 2000 that our own reader reads${absent ? ` (${why})` : ''}`, async () => {
    const { info, source } = await openSlide(lossy, { mpp: 0.5 });
    const theirs = await openTileSource({
      ...described(lossy),
      levels: info.levels.map((level, number) => ({ ...level, number })),
    });
    const ours = await openTileSource(source);
    const [a, b] = [new Uint8Array(256 * 256 * 3), new Uint8Array(256 * 256 * 3)];
    for (let tile = 0; tile < 17 * 13; tile += 5) {
      expect(await theirs.readTile(0, tile % 17, Math.floor(tile / 17), a)).toBe('decoded');
      expect(await ours.readTile(0, tile % 17, Math.floor(tile / 17), b)).toBe('decoded');
      // Their floating-point sums round one sample in millions the other way.
      expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)).toBeLessThanOrEqual(1);
    }
    theirs.close();
    ours.close();
  });

  it.skipIf(installed === undefined)(`reports a bad tile, and reads on${orWhy}`, async () => {
    const bytes = Buffer.from(readFileSync(SLIDE));
    const { source } = await openSlide(SLIDE);
    const [level] = (source as unknown as { levels: { offsets: Float64Array }[] }).levels;
    bytes.fill(0xff, level!.offsets[64]!, level!.offsets[64]! + 3000);
    const tiles = await openTileSource(described(files.write('bad.svs', bytes)));
    const into = new Uint8Array(240 * 240 * 3);
    const error = await failureOf(() => tiles.readTile(0, 4, 6, into));
    expect(error.code).toBe('TILE_CORRUPT');
    expect(error.message).toContain('tile (4, 6)');
    expect(await tiles.readTile(0, 5, 6, into)).toBe('decoded');
    tiles.close();
  });

  it('opens no file that OpenSlide does not', async () => {
    const error = await failureOf(() => openTileSource(described(files.write('other.svs', 'not a slide'))));
    expect(error.code).toBe(installed === undefined ? 'SLIDE_UNSUPPORTED' : 'SLIDE_UNREADABLE');
  });

  it.skipIf(installed === undefined)(
    `says where the slide has nothing, of tiles that have something, too${orWhy}`,
    async () => {
      const scan = { picture: plain(256, 256, [200, 100, 150]), x: 512, y: 512 };
      const path = files.write('sparse.scn', writeScn({ frame: [1536, 1536], scans: [scan] }));
      const { info, source } = await openSlide(path);
      const tiles = await openTileSource(source);
      const into = new Uint8Array(512 * 512 * 3);
      expect(info.levels).toMatchObject([{ width: 1536, height: 1536, tileWidth: 512, tileHeight: 512 }]);
      expect(await tiles.readTile(0, 0, 0, into)).toBe('missing');
      const gaps = [
        { x: 256, y: 0, width: 256, height: 256 },
        { x: 0, y: 256, width: 512, height: 256 },
      ];
      expect(await tiles.readTile(0, 1, 1, into)).toEqual({ gaps });
      // JPEG of one colour is that colour to a step or two.
      expect(Math.abs(into[1]! - 100)).toBeLessThan(4);
      expect(into[511 * 512 * 3 + 511 * 3]).toBe(255);
      tiles.close();
    },
  );
});

describe('a frame with several scans', () => {
  it.skipIf(installed === undefined)(`is bounded by all of them, whatever lies between${orWhy}`, async () => {
    const scans = [
      { picture: plain(300, 200, [200, 100, 150]), x: 100, y: 900 },
      { picture: plain(256, 256, [20, 200, 20]), x: 1100, y: 100 },
    ];
    const path = files.write('two.scn', writeScn({ frame: [2000, 1600], scans, mpp: 0.25 }));
    const { info, source } = await openSlide(path);
    expect(info).toMatchObject({ mpp: 0.25, bounds: { x: 100, y: 100, width: 1256, height: 1000 } });
    const tiles = await openTileSource(source);
    const into = new Uint8Array(512 * 512 * 3);
    const pixel = async (x: number, y: number): Promise<number[]> => {
      await tiles.readTile(0, Math.floor(x / 512), Math.floor(y / 512), into);
      return [...into.subarray(((y % 512) * 512 + (x % 512)) * 3).subarray(0, 3)];
    };
    const near = (colour: number[], wanted: number[]) =>
      expect(
        colour.every((value, i) => Math.abs(value - wanted[i]!) < 5),
        `${colour}`,
      ).toBe(true);
    near(await pixel(101, 901), [200, 100, 150]);
    near(await pixel(398, 1098), [200, 100, 150]);
    near(await pixel(1102, 102), [20, 200, 20]);
    near(await pixel(1354, 354), [20, 200, 20]);
    for (const [x, y] of [
      [96, 1000],
      [404, 1000],
      [700, 700],
      [1360, 200],
    ] as const)
      expect(await pixel(x, y), `${x},${y}`).toEqual([255, 255, 255]);
    tiles.close();
  });
});

describe('openSlide', () => {
  it.each<[string, Parameters<typeof writeTiff>[0][number]]>([
    ['Hamamatsu NDPI', { picture: gradient(64, 64), rowsPerStrip: 64, compression: 'jpeg', extra: [[65420, 4, [1]]] }],
    [
      'Leica SCN',
      { picture: gradient(64, 64), tile: [32, 32], description: '<?xml version="1.0"?><scn xmlns="x"></scn>' },
    ],
    [
      'Ventana BIF',
      {
        picture: gradient(64, 64),
        tile: [32, 32],
        extra: [[700, 1, Buffer.from('<?xml?><Metadata><iScan Magnification="40"/></Metadata>')]],
      },
    ],
  ])('does not read %s as if it were a plain TIFF', async (name, page) => {
    // These are not whole slides, so OpenSlide refuses them as well: what counts is that we say why.
    const error = await failureOf(() => openSlide(files.write('foreign.tif', writeTiff([page])), { mpp: 0.5 }));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.message).toContain(name);
    if (installed === undefined) expect(error.fix).toContain('install OpenSlide');
    else {
      expect(error.message).toContain(`OpenSlide ${installed}`);
      expect(error.fix).not.toContain('install OpenSlide');
    }
  });

  it.skipIf(installed === undefined)(`reads a format that is not ours through OpenSlide${orWhy}`, async () => {
    // MRXS, the smallest there is: an index without tiles is refused, with the error of our own reader.
    const error = await failureOf(() => openSlide(files.write('slide.mrxs', Buffer.alloc(100, 0xff))));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.message).toContain('3DHISTECH MRXS');
    const scan = { picture: gradient(700, 600), x: 300, y: 200 };
    const path = files.write('slide.scn', writeScn({ frame: [1100, 900], scans: [scan], mpp: 0.5 }));
    const { info, source } = await openSlide(path);
    expect(info).toMatchObject({ format: 'Leica SCN (OpenSlide)', mpp: 0.5, properties: { objective: '20' } });
    expect(planPatches(info)).toMatchObject({ cols: 3, rows: 2, scale: 1 });
    expect(source).toMatchObject({ kind: 'openslide', path });
  });
});
