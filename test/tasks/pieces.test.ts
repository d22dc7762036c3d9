import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { joinPiece, pieceEvents, pieceName, readPiece } from '#src/tasks/pieces.js';
import { WorkSubjects } from '#src/tasks/task.js';
import { TileMirror } from '#src/tasks/tile-mirror.js';
import { emptyFolder } from '../support/paths.js';

const subjects = new WorkSubjects('stroma.v1', { site: 'lab', scanner: 's' });
const named = { slide: 'S1', run: 'r', piece: 'p' };
const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

/** Through messages of at most so many bytes, but for those that are lost. */
const travel = (data: Parameters<typeof pieceEvents>[2], partBytes: number, lost?: number) => {
  const events = pieceEvents(subjects, named, data, partBytes);
  for (const event of events) expect(event.data.length).toBeLessThanOrEqual(partBytes);
  return joinPiece(async part => {
    const event =
      part === lost ? undefined : events.find(({ subject }) => subject === subjects.tile('S1', 'r', 'p', part));
    return event && { size: event.extensions['size']!, data: event.data };
  });
};

it('a piece larger than a message comes in parts, and is whole or not there', async () => {
  for (const partBytes of [1, 7, 999, 1000, 1001]) expect(await travel(bytes, partBytes)).toEqual(bytes);
  expect(await travel(bytes, 400, 1)).toBeUndefined();
  expect(await travel(new Uint8Array(), 10)).toEqual(new Uint8Array());
  for (const state of ['absent', 'unread'] as const) expect(await travel(state, 10)).toBe(state);
});

it('a piece is read as it lies on disk; a file that ends early gives what there is', async () => {
  const folder = await emptyFolder();
  const path = join(folder, 'slide.tif');
  await writeFile(path, bytes);
  expect(await readPiece({ path, offset: 10, length: 20 })).toEqual(bytes.slice(10, 30));
  expect(await readPiece({ path, offset: 990, length: 20 })).toEqual(bytes.slice(990));
  expect(await readPiece({ path, offset: 0 })).toEqual(bytes);
  expect(await readPiece({ path: join(folder, 'none'), offset: 0 })).toBe('absent');
  expect(await readPiece({ path: join(folder, 'none'), offset: 0, length: 5 })).toBe('unread');
  expect(await readPiece({ path: folder, offset: 0 })).toBe('unread');
  expect(pieceName({ path, offset: 0 })).not.toBe(pieceName({ path: `${path}f`, offset: 0 }));
});

it('what nobody could read is not taken for read, and is asked for again', async () => {
  const mirror = await TileMirror.create();
  const levels = [{ width: 64, height: 32, downsample: 1, mpp: 0.5, tileWidth: 32, tileHeight: 32, cols: 2, rows: 1 }];
  const [offsets, byteCounts] = [Float64Array.of(8, 100), Float64Array.of(50, 60)];
  const source = { kind: 'tiff', path: '/scanner/a.tif', levels: [{ ...levels[0]!, offsets, byteCounts }] };
  const inner = { ...source, path: mirror.place(source.path) };
  const description = await mirror.describe(inner, levels);
  const plan = { level: 0, scale: 1, core: 64, margin: 0, patchSize: 64, rows: 1, width: 64, height: 32 } as never;
  let isReadable = false;
  const bring = () =>
    mirror.bring(source, levels, plan, [[0, 0]], description, async piece =>
      piece.endsWith('-8-50') || isReadable ? bytes.slice(0, Number(piece.split('-').at(-1))) : 'unread',
    );
  expect([await bring(), [...description.here[0]!]]).toEqual([true, [1, 0]]);
  isReadable = true;
  expect([await bring(), [...description.here[0]!]]).toEqual([true, [1, 1]]);
  expect((await readFile(inner.path)).subarray(100, 160)).toEqual(Buffer.from(bytes.slice(0, 60)));
  // One that is in the stream no more.
  const other = await TileMirror.create();
  const elsewhere = await other.describe({ ...source, path: other.place(source.path) }, levels);
  expect(await other.bring(source, levels, plan, [[0, 0]], elsewhere, async () => undefined)).toBe(false);
  for (const path of ['/a/../../etc/passwd', '/../x']) expect(() => mirror.place(path)).toThrow(/not the path/);
  await mirror.remove();
  await other.remove();
});
