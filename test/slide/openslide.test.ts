import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadOpenSlide } from '#src/slide/libopenslide.js';
import { openSlide } from '#src/slide/open.js';
import { askOpenSlide } from '#src/slide/open-openslide.js';
import { openTileSource } from '#src/slide/open-source.js';
import { planPatches } from '#src/slide/plan.js';
import { meanSpacing } from '#src/slide/slide-facts.js';
import { failureOf, SLIDE, scratch } from './fixture.js';
import { gradient, writeTiff } from './tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

/** OpenSlide is optional: with it these tests talk to the real library, without it they check that its absence is told. */
const library = loadOpenSlide();

describe('askOpenSlide', () => {
  it('tells what the library knows of a slide, and nothing about the patient', () => {
    const facts = askOpenSlide(SLIDE);
    if (!library) {
      expect(facts).toBeUndefined();
      return;
    }
    expect(library.version).toMatch(/^[34]\./);
    expect(facts).toMatchObject({
      format: 'Aperio SVS (OpenSlide)',
      mpp: 0.499,
      levels: [{ width: 2220, height: 2967, downsample: 1, tileWidth: 240, tileHeight: 240 }],
      properties: { objective: '20' },
    });
    expect(JSON.stringify(facts)).not.toContain('b414003d');
  });

  it('knows nothing of other files', () => {
    expect(askOpenSlide(files.write('text.svs', 'not a slide'))).toBeUndefined();
    expect(
      askOpenSlide(files.write('generic.tif', writeTiff([{ picture: gradient(64, 64), tile: [32, 32] }]))),
    ).toBeUndefined();
    expect(askOpenSlide(files.path('none'))).toBeUndefined();
  });
});

describe('OpenSlideSource', () => {
  const levels = [{ width: 2220, height: 2967, downsample: 1, mpp: 0.5, tileWidth: 240, tileHeight: 240 }];

  it('reads the pixels that our own reader reads', async () => {
    if (!library) {
      const error = await failureOf(() => openTileSource({ kind: 'openslide', path: SLIDE, levels }));
      expect(error.code).toBe('SLIDE_UNSUPPORTED');
      return;
    }
    const theirs = await openTileSource({ kind: 'openslide', path: SLIDE, levels });
    const ours = await openTileSource((await openSlide(SLIDE)).source);
    const [a, b] = [new Uint8Array(240 * 240 * 3), new Uint8Array(240 * 240 * 3)];
    for (const [col, row] of [
      [0, 0],
      [4, 6],
      [9, 12],
    ] as const) {
      expect(theirs.readTile(0, col, row, a)).toBe('decoded');
      expect(ours.readTile(0, col, row, b)).toBe('decoded');
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

  const lossy = fileURLToPath(new URL('../../../shared/data/slides/tcga-cr-7395-01a-01-ts1.svs', import.meta.url));
  const why = library ? 'its slide is not in ../shared/data/slides' : 'libopenslide is not installed';
  const absent = !library || !existsSync(lossy);
  it.skipIf(absent)(`reads the JPEG 2000 that our own reader reads${absent ? ` (${why})` : ''}`, async () => {
    const { info, source } = await openSlide(lossy, { mpp: 0.5 });
    const theirs = await openTileSource({ kind: 'openslide', path: lossy, levels: info.levels } as never);
    const ours = await openTileSource(source);
    const [a, b] = [new Uint8Array(256 * 256 * 3), new Uint8Array(256 * 256 * 3)];
    for (let tile = 0; tile < 17 * 13; tile += 5) {
      expect(theirs.readTile(0, tile % 17, Math.floor(tile / 17), a)).toBe('decoded');
      expect(ours.readTile(0, tile % 17, Math.floor(tile / 17), b)).toBe('decoded');
      // Their floating-point sums round one sample in millions the other way.
      expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)).toBeLessThanOrEqual(1);
    }
    theirs.close();
    ours.close();
  });

  it('reports a bad tile, and reads on', async () => {
    if (!library) return expect(library).toBeUndefined();
    const bytes = Buffer.from(readFileSync(SLIDE));
    const { source } = await openSlide(SLIDE);
    const [level] = (source as unknown as { levels: { offsets: Float64Array }[] }).levels;
    bytes.fill(0xff, level!.offsets[64]!, level!.offsets[64]! + 3000);
    const tiles = await openTileSource({ kind: 'openslide', path: files.write('bad.svs', bytes), levels });
    const into = new Uint8Array(240 * 240 * 3);
    const error = await failureOf(() => tiles.readTile(0, 4, 6, into));
    expect(error.code).toBe('TILE_CORRUPT');
    expect(error.message).toContain('tile (4, 6)');
    expect(tiles.readTile(0, 5, 6, into)).toBe('decoded');
    tiles.close();
  });

  it('opens no file that OpenSlide does not', async () => {
    const path = files.write('other.svs', 'not a slide');
    const error = await failureOf(() => openTileSource({ kind: 'openslide', path, levels }));
    expect(error.code).toBe(library ? 'SLIDE_UNREADABLE' : 'SLIDE_UNSUPPORTED');
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
    expect(error.fix).toContain('OpenSlide');
  });

  it('reads a format that is not ours through OpenSlide', async () => {
    if (!library) return expect(library).toBeUndefined();
    // MRXS, the smallest there is: an index without tiles is refused, with the error of our own reader.
    const error = await failureOf(() => openSlide(files.write('slide.mrxs', Buffer.alloc(100, 0xff))));
    expect(error.code).toBe('SLIDE_UNREADABLE');
    // A slide that OpenSlide describes can be planned like any other.
    const facts = askOpenSlide(SLIDE)!;
    const geometry = facts.levels.map(level => ({ ...level, mpp: meanSpacing(facts.mpp)! * level.downsample }));
    const info = {
      id: 's',
      path: SLIDE,
      format: facts.format,
      mpp: meanSpacing(facts.mpp)!,
      levels: geometry,
      fingerprint: '',
      properties: {},
    };
    expect(planPatches(info)).toMatchObject({ cols: 5, rows: 6, scale: 1 });
    expect(facts.describe(geometry)).toMatchObject({ kind: 'openslide', path: SLIDE });
  });
});
