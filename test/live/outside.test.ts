import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { openGrowingNdTiff } from '#src/live/growing-ndtiff.js';
import { encodeImage, encodeIndexEntry, encodePartHeader } from '#src/simulate/ndtiff-entry.js';
import { readDataSet } from '#src/slide/ndtiff/data-set.js';
import { NdTiffSource } from '#src/slide/ndtiff/ndtiff-source.js';
import { openSlide } from '#src/slide/open.js';
import { readRegularFile } from '#src/slide/regular-file.js';
import type { TileState } from '#src/slide/slide.js';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { TileFolderSource } from '#src/slide/tile-folder/tile-folder-source.js';
import { TILE_FOLDER_KIND } from '#src/slide/tile-folder/tile-set.js';
import { failureOf, scratch } from '../slide/fixture.js';
import { temporaryFolder } from '../support/temporary.js';

/** Two folders: the scanner's, and what must never be read through it. */
function folders() {
  const root = temporaryFolder('outside');
  const [inside, outside] = [join(root, 'inside'), join(root, 'outside')];
  for (const folder of [inside, outside]) mkdirSync(folder);
  return { inside, outside };
}

let tile: Buffer;
beforeAll(async () => {
  tile = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } })
    .png()
    .toBuffer();
});

const MANIFEST = { width: 8, height: 8, tileWidth: 8, tileHeight: 8, mpp: 0.5, pattern: 'a/{col}_{row}.png' };

function sourceIn(folder: string): TileFolderSource {
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(MANIFEST));
  const set = readTileSet(join(folder, 'manifest.json'))!;
  const levels = set.levels.map(level => ({ ...level, mpp: 0.5 }));
  return new TileFolderSource({ kind: TILE_FOLDER_KIND, path: set.path, manifest: set.manifest, folder, levels });
}

const readFirst = (source: TileFolderSource) => source.readTile(0, 0, 0, new Uint8Array(8 * 8 * 3));

describe('a folder of tiles', () => {
  it('is read where it is what it seems', async () => {
    const { inside } = folders();
    mkdirSync(join(inside, 'a'));
    writeFileSync(join(inside, 'a', '0_0.png'), tile);
    expect(await readFirst(sourceIn(inside))).toBe('decoded');
  });

  it('does not lead out by a link in the place of a tile, nor of a folder', async () => {
    const { inside, outside } = folders();
    writeFileSync(join(outside, '0_0.png'), tile);
    symlinkSync(outside, join(inside, 'a'));
    expect(await readFirst(sourceIn(inside))).toBe('missing');
    const other = folders();
    mkdirSync(join(other.inside, 'a'));
    symlinkSync(join(outside, '0_0.png'), join(other.inside, 'a', '0_0.png'));
    expect(await readFirst(sourceIn(other.inside))).toBe('missing');
  });

  it('may itself be reached by a link, which is its user’s choice', async () => {
    const { inside, outside } = folders();
    mkdirSync(join(inside, 'a'));
    writeFileSync(join(inside, 'a', '0_0.png'), tile);
    symlinkSync(inside, join(outside, 'slides'));
    expect(await readFirst(sourceIn(join(outside, 'slides')))).toBe('decoded');
  });

  it.each([
    '../{col}_{row}.png',
    '/etc/{col}_{row}',
    'a/../../{col}_{row}.png',
    'a\0/{col}_{row}.png',
    './{col}_{row}.png',
  ])('has no pattern %j', async pattern => {
    const { inside } = folders();
    writeFileSync(join(inside, 'manifest.json'), JSON.stringify({ ...MANIFEST, pattern }));
    const error = await failureOf(() => readTileSet(join(inside, 'manifest.json')));
    expect(error.code).toBe('SLIDE_UNREADABLE');
  });

  it('gives nothing away while a folder and a link to another are swapped', async () => {
    const { inside, outside } = folders();
    const [kept, link] = [join(inside, 'kept'), join(inside, 'link')];
    for (const [folder, text] of [
      [kept, 'inside'],
      [outside, 'outside'],
    ] as const) {
      if (folder === kept) mkdirSync(folder);
      writeFileSync(join(folder, '0_0.png'), text);
    }
    symlinkSync(outside, link);
    const swap = `const { renameSync } = require('node:fs');
      const [kept, link, used] = ${JSON.stringify([kept, link, join(inside, 'a')])};
      process.send('ready');
      for (;;) for (const it of [kept, link]) { renameSync(it, used); renameSync(used, it); }`;
    const swapper = spawn(process.execPath, ['-e', swap], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    try {
      await once(swapper, 'message');
      const seen = new Set<string>();
      for (let i = 0; i < 20_000 && !(seen.has('inside') && i > 5000); i++) {
        const file = readRegularFile(join(inside, 'a', '0_0.png'), 100, inside);
        seen.add(file?.bytes.toString() ?? 'none');
      }
      expect(seen).toContain('none');
      expect(seen).not.toContain('outside');
    } finally {
      swapper.kill('SIGKILL');
    }
  });
});

describe('an NDTiff data set', () => {
  const PART = 'slide_NDTiffStack.tif';
  const header = encodePartHeader({ PixelSize_um: 0.5, Width: 4, Height: 4, TileWidth: 4, TileHeight: 4 });
  const image = encodeImage(header.length, 4, 4, Buffer.alloc(48, 7), {}, true);
  const part = Buffer.concat([header, image.bytes]);
  const entry = (file: string) => encodeIndexEntry({ row: 0, column: 0 }, file, [4, 4], 2, image);
  const options = { id: 'slide', pollSeconds: 0.01, stallSeconds: 0.05, settleSeconds: 0.01, events: false };

  async function stateOf(folder: string): Promise<TileState> {
    const live = openGrowingNdTiff(readDataSet(join(folder, 'NDTiff.index')), options)!;
    for await (const { tiles } of live.follow(0, AbortSignal.timeout(5000))) expect(tiles).toEqual([0]);
    const source = new NdTiffSource(live.sourceFor(0) as ConstructorParameters<typeof NdTiffSource>[0]);
    const state = source.readTile(0, 0, 0, new Uint8Array(48));
    source.close();
    await live.close();
    return state;
  }

  it.each([
    [PART, 'decoded'],
    [`../${PART}`, 'missing'],
    [`/etc/${PART}`, 'missing'],
    [`${PART}\0`, 'missing'],
    [`slide/../../${PART}`, 'missing'],
  ])('whose index names %j: the tile is %s', async (name, state) => {
    const { inside } = folders();
    writeFileSync(join(inside, PART), part);
    writeFileSync(join(inside, 'NDTiff.index'), entry(name));
    expect(await stateOf(inside)).toBe(state);
  });

  it('does not lead out by a link in the place of a part', async () => {
    const { inside, outside } = folders();
    writeFileSync(join(outside, PART), part);
    writeFileSync(join(inside, 'NDTiff.index'), entry(PART));
    symlinkSync(join(outside, PART), join(inside, PART));
    expect((await failureOf(() => stateOf(inside))).code).toBe('SLIDE_UNREADABLE');
  });

  it('nor when the link comes after the part was seen', async () => {
    const { inside, outside } = folders();
    writeFileSync(join(inside, PART), part);
    writeFileSync(join(outside, PART), part);
    writeFileSync(join(inside, 'NDTiff.index'), entry(PART));
    const live = openGrowingNdTiff(readDataSet(join(inside, 'NDTiff.index')), options)!;
    for await (const { tiles } of live.follow(0, AbortSignal.timeout(5000))) expect(tiles).toEqual([0]);
    renameSync(join(inside, PART), join(inside, 'gone'));
    symlinkSync(join(outside, PART), join(inside, PART));
    const source = new NdTiffSource(live.sourceFor(0) as ConstructorParameters<typeof NdTiffSource>[0]);
    expect((await failureOf(() => source.readTile(0, 0, 0, new Uint8Array(48)))).code).toBe('SLIDE_UNREADABLE');
    await live.close();
  });
});

it('a pipe in the place of a slide is refused, not waited for', async () => {
  const files = scratch();
  try {
    const fifo = files.path('slide.tif');
    await once(spawn('mkfifo', [fifo]), 'exit');
    expect((await failureOf(() => openSlide(fifo))).code).toBe('SLIDE_UNREADABLE');
  } finally {
    files.remove();
  }
});
