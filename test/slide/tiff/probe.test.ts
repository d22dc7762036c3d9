import { closeSync, openSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type ErrorCode, StromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { probeTiff, readNumbers, type TiffProbe } from '#src/slide/tiff/probe.js';
import { failureOf, SLIDE, scratch } from '../fixture.js';
import { type FileOptions, gradient, type PageOptions, writeTiff } from '../tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const PAGE: PageOptions = { picture: gradient(100, 70), tile: [32, 32], resolution: 20_000 };

function probe<T>(path: string, use: (probe: TiffProbe) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use(probeTiff(fd, path, statSync(path).size));
  } finally {
    closeSync(fd);
  }
}

describe('probeTiff', () => {
  it.each<[string, FileOptions]>([
    ['little-endian', {}],
    ['big-endian', { bigEndian: true }],
    ['BigTIFF', { big: true }],
    ['big-endian BigTIFF', { big: true, bigEndian: true }],
  ])('walks the directories of a %s file and reads its arrays', (name, options) => {
    const path = files.write(`${name}.tif`, writeTiff([PAGE, { ...PAGE, picture: gradient(50, 35) }], options));
    probe(path, found => {
      expect(found.directories.length).toBe(2);
      const offsets = readNumbers(found, found.directories[0]!.entries.get(324)!);
      expect(offsets.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect([...offsets]).toEqual(Array.from({ length: 12 }, (_, i) => (options.big ? 16 : 8) + i * 32 * 32 * 3));
    });
  });

  it('reads the real slide', () => {
    probe(SLIDE, found => {
      expect(found.directories.length).toBe(4);
      expect(readNumbers(found, found.directories[0]!.entries.get(325)!).length).toBe(130);
    });
  });

  const whole = writeTiff([PAGE]);
  const header = (bytes: readonly number[]) => Buffer.from(bytes);
  const cases: [string, Buffer, ErrorCode, RegExp][] = [
    ['an empty file', header([]), 'SLIDE_UNREADABLE', /is empty/],
    ['a text file', Buffer.from('slide,label\n1,stroma\n'), 'SLIDE_UNREADABLE', /text file/],
    [
      'a picture',
      header([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0]),
      'SLIDE_UNREADABLE',
      /PNG picture, not a slide/,
    ],
    ['another binary file', header([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0]), 'SLIDE_UNREADABLE', /not a TIFF/],
    ['a lone magic number', header([0x49, 0x49, 42, 0]), 'SLIDE_UNREADABLE', /not a TIFF/],
    ['a BigTIFF header cut short', header([0x49, 0x49, 43, 0, 8, 0, 0, 0, 16]), 'SLIDE_UNREADABLE', /not a TIFF/],
    [
      'no directory yet',
      header([0x49, 0x49, 42, 0, 0, 0, 0, 0, 1, 2, 3]),
      'SLIDE_UNREADABLE',
      /no image directory yet/,
    ],
    ['a directory past the end', header([0x49, 0x49, 42, 0, 0, 0, 0, 0x7f, 1]), 'SLIDE_TRUNCATED', /ends at byte 9/],
    [
      'a BigTIFF directory at 2^63',
      header([0x49, 0x49, 43, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]),
      'SLIDE_TRUNCATED',
      /ends at byte 16/,
    ],
    [
      'a directory without entries',
      header([0x49, 0x49, 42, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      'SLIDE_UNREADABLE',
      /0 entries/,
    ],
    [
      'an absurd number of entries',
      Buffer.concat([header([0x49, 0x49, 42, 0, 8, 0, 0, 0, 0xff, 0xff]), Buffer.alloc(99)]),
      'SLIDE_UNREADABLE',
      /65535 entries/,
    ],
    ['a cut directory', whole.subarray(0, whole.length - 20), 'SLIDE_TRUNCATED', /ends at byte/],
    ['the first half of a file', whole.subarray(0, whole.length / 2), 'SLIDE_TRUNCATED', /ends at byte/],
  ];
  it.each(cases)('refuses %s', async (name, bytes, code, message) => {
    const path = files.write(`${name.replace(/\W/g, '_')}.svs`, bytes);
    const error = await failureOf(() => openSlide(path));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.line).not.toContain('\n');
  });

  it('refuses directories that form a loop', async () => {
    const bytes = Buffer.from(whole);
    const directory = bytes.readUInt32LE(4);
    const link = directory + 2 + bytes.readUInt16LE(directory) * 12;
    bytes.writeUInt32LE(directory, link);
    expect((await failureOf(() => openSlide(files.write('loop.tif', bytes)))).message).toMatch(/loop/);
  });

  it('refuses an array that reaches past the end before allocating for it', async () => {
    const bytes = Buffer.from(whole);
    const directory = bytes.readUInt32LE(4);
    for (let i = 0; i < bytes.readUInt16LE(directory); i++) {
      const entry = directory + 2 + i * 12;
      if (bytes.readUInt16LE(entry) === 324) bytes.writeUInt32LE(0xffffffff, entry + 4);
    }
    expect((await failureOf(() => openSlide(files.write('array.tif', bytes)))).code).toBe('SLIDE_TRUNCATED');
  });
});

describe('any damage', () => {
  const sources = [
    writeTiff([
      { ...PAGE, compression: 'jpeg', description: 'Aperio Image Library|AppMag = 20|MPP = 0.5' },
      { ...PAGE, picture: gradient(50, 35) },
    ]),
    writeTiff([{ ...PAGE, compression: 'lzw', children: [{ ...PAGE, picture: gradient(50, 35) }] }], {
      big: true,
      bigEndian: true,
    }),
    writeTiff([{ picture: gradient(40, 40), rowsPerStrip: 7, compression: 'deflate', resolution: 20_000 }]),
  ];
  let counter = 0;
  const opens = async (bytes: Buffer): Promise<string> => {
    const path = files.write(`fuzz-${counter++ % 8}.tif`, bytes);
    try {
      const { source } = await openSlide(path, { mpp: 0.5 });
      return source.kind;
    } catch (error) {
      // Anything but a StromaflowError with a slide's code would be a crash for the user.
      if (error instanceof StromaflowError && /^(SLIDE|FILE|OPENSLIDE)_/.test(error.code)) return error.code;
      throw error;
    }
  };

  it('of bytes ends in a slide or in one of its errors', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...sources.keys()),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        async (which, changes, nearDirectory) => {
          const bytes = Buffer.from(sources[which]!);
          // Pixels are most of the file; what can break the reader is the header and the directories at the end.
          const from = nearDirectory ? Math.floor(bytes.length * 0.9) : 0;
          const size = nearDirectory ? bytes.length - from : 16;
          for (const [at, value] of changes) bytes[from + (at % size)] = value;
          await opens(bytes);
        },
      ),
      { numRuns: 600 },
    );
  });

  it('of length likewise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...sources.keys()), fc.nat(), async (which, length) => {
        const bytes = sources[which]!;
        const cut = length % bytes.length;
        expect(await opens(bytes.subarray(0, cut))).toMatch(/^SLIDE_(TRUNCATED|UNREADABLE)$/);
      }),
      { numRuns: 200 },
    );
  });

  it('of random bytes behind a valid header likewise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 10, maxLength: 400 }), fc.boolean(), async (tail, big) => {
        const head = big ? [0x49, 0x49, 43, 0, 8, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0] : [0x4d, 0x4d, 0, 42, 0, 0, 0, 8];
        await opens(Buffer.concat([Buffer.from(head), tail]));
      }),
      { numRuns: 300 },
    );
  });
});
