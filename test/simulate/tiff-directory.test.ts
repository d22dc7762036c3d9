import fc from 'fast-check';
import { fromArrayBuffer } from 'geotiff';
import { describe, expect, it } from 'vitest';
import type { SourceLevel } from '#src/simulate/source.js';
import {
  emptyTable,
  encodeByteCount,
  encodeDirectory,
  encodeHeader,
  encodeOffset,
  even,
  headerBytes,
  headerLinkAt,
} from '#src/simulate/tiff-directory.js';

const long = (tag: number, value: number) => ({ tag, type: 4, count: 1, bytes: encodeByteCount(value) });

/** A level of tiles of 16 pixels, as a source slide has it. */
function levelOf(cols: number, rows: number, text: string, tiled = true): SourceLevel {
  const words = Buffer.from(`${text}\0`, 'latin1');
  const tags = [
    long(257, rows * 16),
    long(256, cols * 16),
    { tag: 270, type: 2, count: words.length, bytes: words },
    ...(tiled ? [long(322, 16), long(323, 16)] : [long(278, 16)]),
  ];
  return { cols, rows, tiled, tags } as unknown as SourceLevel;
}

const levels = fc.record({
  cols: fc.integer({ min: 1, max: 6 }),
  rows: fc.integer({ min: 1, max: 6 }),
  text: fc.string({ maxLength: 20, unit: fc.constantFrom(...'abcXYZ =|') }),
  tiled: fc.boolean(),
});

describe('encodeDirectory', () => {
  it('makes a chain that geotiff reads as it was meant, at any place, of either kind', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(levels, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.nat(100),
        async (given, big, gap) => {
          let at = even(headerBytes(big) + gap);
          const parts = [encodeHeader(big, at), Buffer.alloc(at - headerBytes(big))];
          const tables = given.map(({ cols, rows, text, tiled }, index) => {
            const level = levelOf(cols, rows, text, tiled);
            const table = emptyTable(level);
            table.offsets.forEach((_, tile) => {
              table.offsets[tile] = 1000 * (index + 1) + tile;
              table.byteCounts[tile] = 7 * (tile + 1);
            });
            const { bytes: draft } = encodeDirectory(big, at, level, emptyTable(level), 0);
            const isLast = index === given.length - 1;
            const { bytes, position } = encodeDirectory(big, at, level, table, isLast ? 0 : at + draft.length);
            // Its length tells where the next one lies before tiles are known.
            expect([bytes.length, position, bytes.length % 2]).toEqual([draft.length, at, 0]);
            parts.push(bytes);
            at += bytes.length;
            return table;
          });
          const file = Buffer.concat(parts);
          const tiff = await fromArrayBuffer(
            file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer,
          );
          expect(await tiff.getImageCount()).toBe(given.length);
          for (const [index, { cols, rows, text, tiled }] of given.entries()) {
            const { fileDirectory } = await tiff.getImage(index);
            const list = async (tag: number) => {
              const value = (await fileDirectory.loadValue(tag)) as number | ArrayLike<number>;
              return typeof value === 'number' ? [value] : Array.from(value, Number);
            };
            expect(await list(tiled ? 324 : 273)).toEqual([...tables[index]!.offsets]);
            expect(await list(tiled ? 325 : 279)).toEqual([...tables[index]!.byteCounts]);
            expect([await list(256), await list(257)]).toEqual([[cols * 16], [rows * 16]]);
            expect(String(await fileDirectory.loadValue(270)).replace(/\0+$/, '')).toBe(text);
          }
        },
      ),
      { numRuns: 40 },
    ));

  it('says where a tile’s entries stand, so that they can be written in place', () => {
    fc.assert(
      fc.property(levels, fc.boolean(), fc.nat(1000), (given, big, position) => {
        const level = levelOf(given.cols, given.rows, given.text, given.tiled);
        const table = emptyTable(level);
        const before = encodeDirectory(big, position, level, table, 0);
        const tile = table.offsets.length - 1;
        table.offsets[tile] = 70_000;
        table.byteCounts[tile] = 321;
        const after = encodeDirectory(big, position, level, table, 4242);
        const patched = Buffer.from(before.bytes);
        encodeOffset(big, 70_000).copy(patched, before.offsetsAt - position + tile * (big ? 8 : 4));
        encodeByteCount(321).copy(patched, before.byteCountsAt - position + tile * 4);
        encodeOffset(big, 4242).copy(patched, before.linkAt - position);
        expect(patched.equals(after.bytes)).toBe(true);
      }),
    );
  });
});

describe('the header of a TIFF', () => {
  it('has its link where it says, which can be set later', () => {
    for (const big of [false, true]) {
      const header = encodeHeader(big, 0);
      expect(header).toHaveLength(headerBytes(big));
      encodeOffset(big, 0x1234_5678).copy(header, headerLinkAt(big));
      expect(header.equals(encodeHeader(big, 0x1234_5678))).toBe(true);
    }
    // Offsets beyond 4 GiB need BigTIFF.
    expect(encodeOffset(true, 2 ** 40).readBigUInt64LE()).toBe(2n ** 40n);
    expect(() => encodeOffset(false, 2 ** 32)).toThrow(RangeError);
  });

  it('is followed by directories on whole words', () => {
    expect([0, 1, 2, 2 ** 33 + 1].map(even)).toEqual([0, 2, 2, 2 ** 33 + 2]);
  });
});
