import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type LevelSize, TiffListing } from '#src/live/tiff-listing.js';
import { openSlide } from '#src/slide/open.js';
import { failureOf, scratch } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const page: PageOptions = { picture: gradient(200, 130), tile: [64, 64], compression: 'jpeg', resolution: 20_000 };
const half: PageOptions = { ...page, picture: gradient(100, 65), subfileType: 1 };
const write = (pages: readonly PageOptions[], options = {}) => files.write('a.tiff', writeTiff(pages, options));
const [FINE, HALF] = [page, half].map(({ picture: { width, height } }) => ({
  width,
  height,
  tileWidth: 64,
  tileHeight: 64,
})) as [LevelSize, LevelSize];
const listed = (path: string, level = FINE) => new TiffListing(path, level).read(listing => listing);

/** Changes four bytes of a file where they are. */
function patch(path: string, at: number, value: number): void {
  const fd = openSync(path, 'r+');
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  writeSync(fd, bytes, 0, 4, at);
  closeSync(fd);
}

describe('TiffListing', () => {
  it('says where each tile of a level lies, in files of either kind and either byte order', () =>
    fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(FINE, HALF),
        fc.uniqueArray(fc.nat(11)),
        async (big, bigEndian, level, holes) => {
          const missing = (col: number, row: number) => holes.includes(row * 4 + col);
          const path = write(
            [
              { ...page, missing },
              { ...half, missing },
            ],
            { big, bigEndian },
          );
          const { offsets, byteCounts, stats } = await listed(path, level);
          const bytes = readFileSync(path);
          expect(offsets).toHaveLength(level === FINE ? 12 : 4);
          expect(stats.size).toBe(bytes.length);
          for (const [tile, offset] of offsets.entries()) {
            const [col, row] = level === FINE ? [tile % 4, tile >> 2] : [tile % 2, tile >> 1];
            expect([offset, byteCounts[tile]].includes(0)).toBe(missing(col, row));
            if (offset > 0) expect(bytes.readUInt16BE(offset)).toBe(0xffd8);
            if (offset > 0) expect(bytes.readUInt16BE(offset + byteCounts[tile]! - 2)).toBe(0xffd9);
          }
        },
      ),
      { numRuns: 20 },
    ));

  it('finds a padded level by its size without the padding, though one before it is still to come', async () => {
    const padded = (width: number, height: number): PageOptions => ({
      ...page,
      picture: gradient(width, height),
      subfileType: 1,
    });
    const fine = { ...page, picture: gradient(1000, 700) };
    const path = write([fine, padded(512, 384), padded(256, 192)]);
    const sizes = (await openSlide(path)).info.levels.map(({ width, height }) => [width, height]);
    expect(sizes).toEqual([
      [1000, 700],
      [500, 350],
      [250, 175],
    ]);
    const coarse = { width: 250, height: 175, tileWidth: 64, tileHeight: 64 };
    expect((await listed(path, coarse)).offsets).toHaveLength(12);
    write([fine, padded(256, 192)]);
    expect((await listed(path, coarse)).offsets).toHaveLength(12);
  });

  it('sees tiles that are entered in place', async () => {
    const path = write([{ ...page, missing: (col, row) => col + row === 0 }]);
    const listing = new TiffListing(path, FINE);
    const { offsets } = await listing.read(found => found);
    expect(offsets[0]).toBe(0);
    const bytes = readFileSync(path);
    const array = Buffer.from(Uint32Array.from(offsets).buffer);
    patch(path, bytes.indexOf(array), offsets[1]!);
    expect((await listing.read(found => found)).offsets[0]).toBe(offsets[1]);
  });

  it('reads a directory again that has moved, in a file that took the place of the first', async () => {
    const path = write([page]);
    const listing = new TiffListing(path, FINE);
    await listing.read(() => undefined);
    rmSync(path);
    write([{ ...page, description: 'another scan, whose directory lies elsewhere', missing: col => col === 3 }]);
    const { byteCounts } = await listing.read(found => found);
    expect(byteCounts.filter(length => length === 0)).toHaveLength(3);
  });

  it('reads a level in a SubIFD again that has moved, though the chain says nothing of it', async () => {
    const path = write([{ ...page, children: [half] }]);
    const listing = new TiffListing(path, HALF);
    const { offsets } = await listing.read(found => found);
    expect([offsets.length, offsets.every(offset => offset > 0)]).toEqual([4, true]);
    const bytes = readFileSync(path);
    const entryOf = (directory: Buffer, tag: number): number => {
      for (let at = 2; ; at += 12) if (directory.readUInt16LE(at) === tag) return at;
    };
    const main = bytes.readUInt32LE(4);
    const link = main + entryOf(bytes.subarray(main), 330) + 8;
    const old = bytes.readUInt32LE(link);
    // The same directory once more, at the end of the file, its last tile not there.
    const table = Buffer.from(bytes.subarray(old, old + 2 + bytes.readUInt16LE(old) * 12 + 4));
    table.writeUInt32LE(bytes.length, entryOf(table, 324) + 8);
    const moved = Buffer.from(Uint32Array.from(offsets).fill(0, 3).buffer);
    writeFileSync(path, Buffer.concat([bytes, moved, table]));
    patch(path, link, bytes.length + moved.length);
    expect((await listing.read(found => found)).offsets[3]).toBe(0);
  });

  it('hands on what the reader makes of it, its failure too, and closes the file', async () => {
    const path = write([page]);
    const listing = new TiffListing(path, FINE);
    let held = -1;
    await expect(
      listing.read((_, fd) => {
        held = fd;
        throw new Error('no more');
      }),
    ).rejects.toThrow('no more');
    // The descriptor is free: closing it again fails, or it is another file's by now.
    expect(() => closeSync(held)).toThrow('EBADF');
    expect(await listing.read(async ({ offsets }) => offsets.length)).toBe(12);
  });

  it('refuses a file that is gone, cut, or whose level is no longer listed', async () => {
    const path = write([page, half]);
    const coarse = new TiffListing(path, HALF);
    await coarse.read(() => undefined);
    write([page]);
    expect(await failureOf(() => coarse.read(() => undefined))).toMatchObject({
      code: 'SLIDE_UNREADABLE',
      message: expect.stringContaining('no longer lists the level'),
    });
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length - 20));
    expect((await failureOf(() => listed(path))).code).toBe('SLIDE_TRUNCATED');
    writeFileSync(path, '');
    expect((await failureOf(() => listed(path))).code).toBe('SLIDE_UNREADABLE');
    rmSync(path);
    await expect(listed(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
