import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWholeImage } from '#src/live/image-end.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

const pages = fc.record({
  tiled: fc.boolean(),
  compression: fc.constantFrom('none', 'lzw', 'deflate', 'packbits' as const),
  rowsPerStrip: fc.integer({ min: 1, max: 20 }),
});
const files = fc.record({ big: fc.boolean(), bigEndian: fc.boolean() });

const pageOf = ({
  tiled,
  ...page
}: { tiled: boolean } & Pick<PageOptions, 'compression' | 'rowsPerStrip'>): PageOptions => ({
  picture: gradient(33, 17),
  ...page,
  ...(tiled ? { tile: [16, 16] } : {}),
});

describe('isWholeImage of a TIFF', () => {
  it('is false of every beginning of one, of either kind and byte order: its directory comes last', () => {
    fc.assert(
      fc.property(
        pages,
        files,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (page, options, part) => {
          const bytes = writeTiff([pageOf(page)], options);
          expect(isWholeImage('a.tiff', bytes)).toBe(true);
          expect(isWholeImage('a.TIF', bytes.subarray(0, Math.floor(bytes.length * part)))).toBe(false);
          expect(isWholeImage('a.tiff', bytes.subarray(0, bytes.length - 1))).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is false while a strip has no place, no bytes, or ends behind the file', () => {
    fc.assert(
      fc.property(files, fc.nat(3), fc.constantFrom('offset', 'length', 'beyond'), (options, tile, lack) => {
        const page = { picture: gradient(32, 32), tile: [16, 16] } as const;
        const whole = writeTiff([page], options);
        const hole = (col: number, row: number) => row * 2 + col === tile;
        if (lack === 'offset')
          expect(isWholeImage('a.tiff', writeTiff([{ ...page, missing: hole }], options))).toBe(false);
        if (lack === 'length') {
          const none = writeTiff(
            [{ ...page, damage: (bytes, col, row) => (hole(col, row) ? Buffer.alloc(0) : bytes) }],
            options,
          );
          expect(isWholeImage('a.tiff', none)).toBe(false);
        }
        if (lack === 'beyond') {
          const counts = Buffer.alloc(16);
          for (let i = 0; i < 4; i++)
            options.bigEndian ? counts.writeUInt32BE(768, i * 4) : counts.writeUInt32LE(768, i * 4);
          const at = whole.indexOf(counts) + tile * 4;
          for (const [length, isWhole] of [
            [769, tile < 3 || undefined],
            [whole.length, false],
          ] as const) {
            if (options.bigEndian) whole.writeUInt32BE(length, at);
            else whole.writeUInt32LE(length, at);
            if (isWhole !== undefined) expect(isWholeImage('a.tiff', whole)).toBe(isWhole);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('looks at the first image only: further ones may be on their way', () => {
    const [one, two] = [gradient(16, 16), gradient(8, 8)].map(picture => ({ picture }));
    const bytes = writeTiff([one!, { ...two!, missing: () => true }]);
    expect(isWholeImage('a.tiff', bytes)).toBe(true);
  });
});

describe('isWholeImage of a name', () => {
  const jpeg = Buffer.from([0xff, 0xd8, 1, 2, 0xff, 0xd9]);
  it.each([
    ['a.jpg', jpeg, true],
    ['a.JPEG', jpeg, true],
    ['a.jpg', jpeg.subarray(0, 5), false],
    ['a.jpg', Buffer.from([0xff, 0x4f, 1, 2, 0xff, 0xd9]), false],
    ['a.j2k', Buffer.from([0xff, 0x4f, 1, 2, 0xff, 0xd9]), true],
    ['a.j2c', jpeg, false],
    ['a.raw', Buffer.from([0, 0, 1]), true],
    ['a.raw', Buffer.alloc(100), false],
    ['a.raw', Buffer.alloc(0), false],
  ])('%s of %j: %s', (name, bytes, whole) => {
    expect(isWholeImage(name, bytes)).toBe(whole);
  });
});
