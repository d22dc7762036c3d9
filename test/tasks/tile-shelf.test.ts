import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import type { TileSourceDescription } from '#src/slide/slide.js';
import { storedPieces } from '#src/slide/stored-bytes.js';
import type { CreditedPatch } from '#src/stage/item.js';
import type { SlideSession } from '#src/stage/session.js';
import { readPiece } from '#src/tasks/pieces.js';
import { WorkSubjects } from '#src/tasks/task.js';
import { TileShelf } from '#src/tasks/tile-shelf.js';
import { emptyFolder } from '../support/paths.js';

const SIDE = 32;
/** Two tiles side by side. */
const GRID = {
  ...{ width: 2 * SIDE, height: SIDE, downsample: 1, mpp: 0.5, tileWidth: SIDE, tileHeight: SIDE, cols: 2, rows: 1 },
};
const folderOf = (folder: string): TileSourceDescription => {
  const named = { pattern: '{col}_{row}.jpg', before: 0, overlap: 0, whole: true, colour: 'ycbcr', tiles: undefined };
  return { kind: 'tile-folder', path: folder, manifest: folder, folder, levels: [{ ...GRID, ...named }] };
};

/** A shelf, and what it shipped; patches as large as tiles. */
function shelf(source: TileSourceDescription, core = SIDE) {
  const shipped: BusEvent[] = [];
  const dropped: string[] = [];
  const cols = (2 * SIDE) / core;
  const plan = { level: 0, scale: 1, core, margin: 0, patchSize: SIDE, cols, rows: 1, width: 2 * SIDE, height: SIDE };
  const session = {
    ...{ slide: { id: 's', levels: [GRID] }, plan, runToken: 'r', failed: new AbortController().signal },
    aggregate: { has: () => false, complete: false },
  } as unknown as SlideSession;
  const tiles = new TileShelf({
    bus: { publish: async (event: BusEvent) => void shipped.push(event) } as never,
    subjects: new WorkSubjects('stroma.v1', { site: 'lab', scanner: 's' }),
    leftovers: { dropTile: async (_: string, __: string, piece: string) => void dropped.push(piece) } as never,
    limitBytes: 1e6,
    partBytes: () => 1e5,
  });
  const patches = Array.from({ length: cols }, (_, col) => ({ session, ref: { level: 0, col, row: 0 } }));
  const all = patches as unknown as readonly CreditedPatch[];
  return { shipped, dropped, ship: (col: number) => tiles.ship(session, source, [all[col]!]), tiles, patches: all };
}

it('a tile that was not there, and came before the next patch that needs it, is shipped then', async () => {
  const folder = await emptyFolder();
  // Two patches a tile.
  const { shipped, dropped, ship, tiles, patches } = shelf(folderOf(folder), SIDE / 2);
  await ship(0);
  await ship(1);
  const sizes = () => shipped.map(({ subject, extensions }) => [subject, extensions['size']]);
  const [{ subject: first } = { subject: '' }] = shipped;
  const second = shipped.at(-1)!.subject;
  expect(sizes()).toEqual([
    [first, 'absent'],
    [second, 'absent'],
  ]);
  await writeFile(join(folder, '0_0.jpg'), 'tile');
  await ship(0);
  await ship(0);
  expect(sizes().slice(2)).toEqual([[first, '4']]);
  // What was there instead of it takes nothing with it.
  for (const patch of patches) tiles.settled(patch);
  expect(dropped.every(piece => dropped.indexOf(piece) === dropped.lastIndexOf(piece))).toBe(true);
});

it('what lies behind a link, or is larger than any tile, is not shipped, as no reader takes it', async () => {
  const [folder, elsewhere] = [await emptyFolder(), await emptyFolder()];
  await writeFile(join(elsewhere, 'secret'), 'of somebody');
  await symlink(join(elsewhere, 'secret'), join(folder, '0_0.jpg'));
  const { shipped, ship } = shelf(folderOf(folder));
  await ship(0);
  expect(shipped.map(({ extensions, data }) => [extensions['size'], data.length])).toEqual([['absent', 0]]);
  await writeFile(join(folder, '1_0.jpg'), new Uint8Array(SIDE * SIDE * 16 + 65_537));
  await ship(1);
  expect(shipped.at(-1)!.extensions['size']).toBe('unread');
  // Nor below a folder that is one.
  const away = { path: join(folder, 'away', 'secret'), offset: 0, below: { folder, most: 100 } };
  await symlink(elsewhere, join(folder, 'away'));
  expect(await readPiece(away)).toBe('absent');
});

it('a file that many tiles are read from, as of a deflated DICOM data set, is shipped once', async () => {
  const path = join(await emptyFolder(), 'deflated.dcm');
  await writeFile(path, new Uint8Array(1000).fill(1));
  const places = { parts: Int32Array.of(0, 0), starts: Float64Array.of(0, 10), ends: Float64Array.of(10, 20) };
  const files = [{ path, deflatedFrom: 300 }];
  const { shipped, dropped, ship, tiles, patches } = shelf({
    ...{ kind: 'dicom', path, identity: '', files },
    levels: [{ ...GRID, ...places }],
  });
  await ship(0);
  tiles.settled(patches[0]!);
  await ship(1);
  tiles.settled(patches[1]!);
  expect(shipped.map(({ data }) => data.length)).toEqual([1000]);
  expect(dropped).toEqual([]);
});

it('a slide at an address is refused with what to do instead', () => {
  const source = { kind: 'remote-tiff', path: 'https://server/slide.svs' };
  expect(() => storedPieces(source)).toThrow(
    expect.objectContaining({ code: 'SLIDE_UNSUPPORTED', fix: expect.stringContaining('at its address') }),
  );
});
