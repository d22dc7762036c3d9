import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { failureOf, scratch } from '../fixture.js';
import { cut, gradient, type PageOptions, plain, writeTiff } from '../tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const page = (width: number, height: number, more: Partial<PageOptions> = {}): PageOptions => ({
  picture: gradient(width, height),
  tile: [64, 64],
  ...more,
});
const APERIO = { description: 'Aperio Image Library|AppMag = 20|MPP = 0.5' };
const label: PageOptions = { picture: plain(90, 60, [9, 9, 9]), rowsPerStrip: 20, description: 'label 90x60' };
const macro: PageOptions = { picture: plain(80, 50, [9, 9, 9]), rowsPerStrip: 20, subfileType: 9 };

/** Changes an entry of the n-th directory: type, count, and value or place of the values. */
function entry(
  bytes: Buffer,
  n: number,
  tag: number,
  change: { tag?: number; count?: number; value?: number },
): Buffer {
  const changed = Buffer.from(bytes);
  let at = changed.readUInt32LE(4);
  const entries = () => changed.readUInt16LE(at);
  for (let i = 0; i < n; i++) at = changed.readUInt32LE(at + 2 + entries() * 12);
  for (let i = 0; i < entries(); i++) {
    const place = at + 2 + i * 12;
    if (changed.readUInt16LE(place) !== tag) continue;
    if (change.tag !== undefined) changed.writeUInt16LE(change.tag, place);
    if (change.count !== undefined) changed.writeUInt32LE(change.count, place + 4);
    if (change.value !== undefined) changed.writeUInt32LE(change.value, place + 8);
    return changed;
  }
  throw new Error(`no tag ${tag}`);
}
const LOST = 0x7fff_0000;

describe('images beside the slide', () => {
  const whole = writeTiff([page(256, 192, APERIO), label, page(64, 48), macro]);

  it.each<[string, Buffer]>([
    ['whose compression nobody reads', entry(whole, 1, 259, { value: 6 })],
    ['of 16 bits', entry(entry(whole, 1, 258, { count: 1, value: 16 }), 3, 258, { count: 1, value: 16 })],
    ['whose offsets lie past the end', entry(entry(whole, 1, 273, { value: LOST }), 3, 273, { value: LOST })],
    ['whose byte counts lie past the end', entry(whole, 3, 279, { value: LOST })],
    ['with fewer strips than their size needs', entry(whole, 1, 273, { count: 1 })],
    ['whose description lies past the end', entry(whole, 1, 270, { value: LOST })],
    [
      'with tiles of no size',
      writeTiff([page(256, 192, APERIO), { ...label, extra: [[324, 4, [8]]] }, page(64, 48), macro]),
    ],
    [
      'whose pixels lie past the end',
      writeTiff([page(256, 192, APERIO), { ...label, extra: [[273, 4, [LOST, LOST, LOST]]] }, page(64, 48), macro]),
    ],
  ])('never refuse it: %s', async (_, bytes) => {
    const { info } = await openSlide(files.write('beside.svs', bytes));
    expect(info.levels.map(({ width, downsample }) => [width, downsample])).toEqual([
      [256, 1],
      [64, 4],
    ]);
    expect(info.notes).toBeUndefined();
  });
});

describe('a reduced level', () => {
  const reduced = { subfileType: 1 };
  const pages = [page(256, 192, { resolution: 20_000 }), page(128, 96, reduced), page(64, 48, reduced)];
  const whole = writeTiff(pages);
  const past: PageOptions['extra'] = [[324, 4, [8, LOST, 8, 8]]];

  it.each<[string, Buffer, RegExp]>([
    [
      'of 16 bits',
      writeTiff([pages[0]!, { ...pages[1]!, extra: [[258, 3, [16, 16, 16]]] }, pages[2]!]),
      /128 × 96 px \(16-bit samples/,
    ],
    ['in an unknown compression', entry(whole, 1, 259, { value: 34_713 }), /compression 34713/],
    ['that lists too few tiles', entry(whole, 1, 324, { count: 2 }), /its directory is damaged/],
    ['whose arrays lie past the end', entry(whole, 1, 324, { value: LOST }), /its directory is damaged/],
    [
      'that ends past the end',
      writeTiff([pages[0]!, { ...pages[1]!, extra: past! }, pages[2]!]),
      /the file ends before its last tile/,
    ],
    [
      'of another shape',
      writeTiff([pages[0]!, page(128, 32, { subfileType: 1 }), pages[2]!]),
      /128 × 32 px \(no one factor leads/,
    ],
  ])('%s costs itself, with a note', async (_, bytes, message) => {
    const { info } = await openSlide(files.write('level.tif', bytes));
    expect(info.levels.map(({ downsample }) => downsample)).toEqual([1, 4]);
    expect(info.notes).toHaveLength(1);
    expect(info.notes![0]!.message).toMatch(message);
    expect(info.notes![0]!.code).toBe('level-left-out');
  });

  it('in a SubIFD that cannot be read costs itself, with a note', async () => {
    const bytes = writeTiff([page(256, 192, { resolution: 20_000, children: [page(128, 96), page(64, 48)] })]);
    const at = bytes.readUInt32LE(4);
    const place = Array.from({ length: bytes.readUInt16LE(at) }, (_, i) => at + 2 + i * 12).find(
      each => bytes.readUInt16LE(each) === 330,
    )!;
    bytes.writeUInt32LE(LOST, bytes.readUInt32LE(place + 8));
    const { info } = await openSlide(files.write('sub.tif', bytes));
    expect(info.levels.map(({ downsample }) => downsample)).toEqual([1, 4]);
    expect(info.notes).toEqual([
      {
        code: 'level-left-out',
        message: '1 levels left out, finer ones are read instead: their directories are damaged',
      },
    ]);
  });

  it('never stands in for the finest, which refuses the slide', async () => {
    for (const [bytes, code] of [
      [entry(whole, 0, 324, { value: LOST }), 'SLIDE_TRUNCATED'],
      [entry(whole, 0, 324, { count: 2 }), 'SLIDE_UNREADABLE'],
      [entry(whole, 0, 259, { value: 34_713 }), 'SLIDE_UNSUPPORTED'],
      // The largest image is not the first one.
      [entry(writeTiff([pages[2]!, { ...pages[0]! }, pages[1]!]), 1, 324, { value: LOST }), 'SLIDE_TRUNCATED'],
    ] as const)
      expect((await failureOf(() => openSlide(files.write('finest.tif', bytes)))).code).toBe(code);
  });
});

describe('what writers do', () => {
  it('tiles may be told by the tags for strips', async () => {
    const picture = gradient(200, 130);
    const bytes = writeTiff([{ picture, tile: [64, 64], resolution: 20_000 }]);
    const moved = entry(entry(bytes, 0, 324, { tag: 273 }), 0, 325, { tag: 279 });
    const { info, source } = await openSlide(files.write('strips.tif', moved));
    expect(info).toMatchObject({ format: 'generic tiled TIFF', levels: [{ width: 200, tileWidth: 64 }] });
    const tiles = await openTileSource(source);
    const into = new Uint8Array(64 * 64 * 3);
    await tiles.readTile(0, 3, 1, into);
    expect(Buffer.compare(into, cut(picture, 192, 64, 64, 64).data)).toBe(0);
    tiles.close();
  });

  it('nearly no tile may be stored', async () => {
    const missing = (col: number, row: number) => col !== 3 || row !== 2;
    const { source } = await openSlide(
      files.write('sparse.tif', writeTiff([page(1024, 768, { resolution: 20_000, missing })])),
    );
    const [level] = (source as TiffDescription).levels;
    expect([level!.byteCounts.length, level!.byteCounts.filter(bytes => bytes > 0).length]).toEqual([192, 1]);
  });

  it('axes may have spacings of their own', async () => {
    const extra: PageOptions['extra'] = [[283, 5, [10_000, 1]]];
    const { info } = await openSlide(
      files.write('axes.tif', writeTiff([page(128, 128, { resolution: 40_000, extra: extra! })])),
    );
    expect(info).toMatchObject({ axes: { x: 0.25, y: 1 }, mpp: 0.5, notes: [{ code: 'axes-differ' }] });
  });

  it.each<[string, number]>([
    ['micron', 4],
    ['\\u00B5m', 4],
    ['mm', 4000],
    ['inch', 101_600],
  ])('ImageJ states its unit in words: %s', async (unit, perUnit) => {
    const description = `ImageJ=1.54f\nimages=1\nunit=${unit}\nspacing=1.0\n`;
    const extra: PageOptions['extra'] = [
      [282, 5, [perUnit, 1]],
      [283, 5, [perUnit, 1]],
      [296, 3, [1]],
    ];
    const { info } = await openSlide(
      files.write('imagej.tif', writeTiff([page(128, 128, { description, extra: extra! })])),
    );
    expect(info.mpp).toBeCloseTo(0.25, 9);
  });

  it('an Olympus VSI is refused by name, with what to do', async () => {
    const error = await failureOf(() =>
      openSlide(files.write('slide.vsi', writeTiff([page(64, 64, { resolution: 20_000 })]))),
    );
    expect(error).toMatchObject({ code: 'SLIDE_UNSUPPORTED', message: expect.stringMatching(/Olympus VSI.*\.ets/) });
    expect(error.fix).toMatch(/^convert/);
  });
});
