import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeIndexEntry, encodePartHeader } from '#src/simulate/ndtiff-entry.js';
import { readIndex, readSummary } from '#src/slide/ndtiff/read-index.js';
import { failureOf } from '../fixture.js';

const place = { bytes: Buffer.alloc(0), pixelsAt: 4096, metadataAt: 9000, metadataLength: 20 };
const entry = (row: number, column: number): Buffer =>
  encodeIndexEntry({ row, column }, 'scan_NDTiffStack.tif', [256, 240], 2, place);

describe('readIndex', () => {
  it('reads whole entries, wherever the file ends or is reserved', () =>
    fc.assert(
      fc.property(fc.nat({ max: 20 }), fc.nat({ max: 2000 }), fc.boolean(), (count, cut, reserved) => {
        const entries = Array.from({ length: count }, (_, index) => entry(index, index * 2));
        const all = Buffer.concat(entries);
        const there = Math.min(cut, all.length);
        const bytes = reserved ? Buffer.concat([all.subarray(0, there), Buffer.alloc(500)]) : all.subarray(0, there);
        const read = readIndex('x', bytes, 0);
        let whole = 0;
        for (let end = 0; whole < count; whole++) {
          end += entries[whole]!.length;
          if (end > there) break;
        }
        expect(read.slice(0, whole).map(({ axes }) => axes)).toEqual(
          Array.from({ length: whole }, (_, index) => ({ row: index, column: index * 2 })),
        );
        // A reserved file may show an entry whose last numbers are still zeros; its place is there before.
        expect(read.length - whole).toBeLessThanOrEqual(reserved ? 1 : 0);
        for (const { offset, width, height } of read) expect([offset, width, height]).toEqual([4096, 256, 240]);
      }),
    ));

  it('goes on from where it stopped', () => {
    const bytes = Buffer.concat([entry(0, 0), entry(0, 1)]);
    const [first] = readIndex('x', bytes, 0);
    expect(readIndex('x', bytes, first!.end)).toMatchObject([
      { axes: { column: 1 }, file: 'scan_NDTiffStack.tif', end: bytes.length },
    ]);
  });

  it('survives any bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        try {
          readIndex('x', Buffer.from(bytes), 0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SLIDE_UNREADABLE' });
        }
      }),
    ));
});

describe('readSummary', () => {
  const fields = { Width: 2220, Height: 2967, TileWidth: 240, TileHeight: 240, PixelSize_um: 0.499 };

  it('reads what the grid is made of', () => {
    expect(readSummary('x', encodePartHeader(fields))).toEqual({
      size: { width: 2220, height: 2967, tileWidth: 240, tileHeight: 240 },
      overlap: [0, 0],
      mpp: 0.499,
    });
  });

  it.each(['Width', 'Height', 'TileWidth', 'TileHeight'])('needs %s', async name => {
    const { [name as keyof typeof fields]: _, ...rest } = fields;
    expect((await failureOf(() => readSummary('x', encodePartHeader(rest)))).message).toContain(name);
  });

  it('takes Width and Height alone for those of an image', () => {
    const head = encodePartHeader({ Width: 2048, Height: 2048, GridPixelOverlapX: 20, GridPixelOverlapY: 30 });
    expect(readSummary('x', head)).toEqual({ size: undefined, overlap: [20, 30], mpp: undefined });
  });

  it('waits until it is whole', async () => {
    const head = encodePartHeader(fields);
    for (const end of [0, 10, 27, head.length - 1])
      expect((await failureOf(() => readSummary('x', head.subarray(0, end)))).code).toBe('SLIDE_UNREADABLE');
    expect((await failureOf(() => readSummary('x', Buffer.alloc(200)))).code).toBe('SLIDE_UNREADABLE');
  });
});
