import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import jpegTurbo from '@julusian/jpeg-turbo';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { DicomDescription } from '#src/slide/dicom/description.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { failureOf, scratch } from '../fixture.js';
import { cut, encodeJpeg, gradient, type Picture } from '../tiff-writer.js';
import { type InstanceOptions, writeInstance } from './instance-writer.js';

const files = scratch();
afterAll(() => files.remove());

const TILE = [32, 24] as const;
const PLACES = Array.from({ length: 12 }, (_, i) => [i % 4, Math.floor(i / 4)] as const);
/** 4 × 3 tiles of one grey. */
const plain = (grey: number, width = 100, height = 70): Picture => ({
  width,
  height,
  samples: 3,
  data: new Uint8Array(width * height * 3).fill(grey),
});

let count = 0;
let uids = 0;
const instance = (options: Partial<InstanceOptions> = {}, uid = `1.9.${++uids}`): Buffer =>
  writeInstance({
    picture: plain(10),
    tile: TILE,
    ...options,
    extra: [[TAG.sopInstanceUid, 'UI', uid], ...(options.extra ?? [])],
  });

function folderOf(...instances: readonly Buffer[]): string {
  const folder = files.path(`case-${++count}`);
  mkdirSync(folder);
  for (const [index, bytes] of instances.entries()) files.write(`case-${count}/${index}.dcm`, bytes);
  return folder;
}

/** The grey of each tile of a level; −1 where there is none. */
async function greys(path: string, level = 0): Promise<number[]> {
  const source = await openTileSource((await openSlide(path)).source);
  const { width, height, tileWidth, tileHeight } = source.levels[level]!;
  const found: number[] = [];
  const tile = Buffer.alloc(tileWidth * tileHeight * 3);
  for (let row = 0; row * tileHeight < height; row++)
    for (let col = 0; col * tileWidth < width; col++)
      found.push((await source.readTile(level, col, row, tile)) === 'missing' ? -1 : tile[0]!);
  source.close();
  return found;
}

const notesOf = async (path: string) => (await openSlide(path)).info.notes ?? [];
const all = (grey: number, tiles = 12) => Array<number>(tiles).fill(grey);

describe('levels of a DICOM slide', () => {
  const base = (more: Partial<InstanceOptions> = {}) =>
    instance({ picture: plain(1, 232, 232), tile: [24, 24], ...more });
  const coarse = (width: number, height: number, more: Partial<InstanceOptions> = {}) =>
    instance({ picture: plain(2, width, height), tile: [24, 24], number: 2, spacing: [0.001, 0.001], ...more });

  it('are placed by Pixel Spacing, and end where the slide does', async () => {
    const { info, source } = await openSlide(folderOf(base(), coarse(120, 144)));
    expect(info.levels).toMatchObject([
      { width: 232, height: 232, downsample: 1, mpp: 0.5 },
      { width: 116, height: 116, downsample: 2, mpp: 1 },
    ]);
    expect(info.notes).toBeUndefined();
    // The sixth row of frames holds nothing of the slide.
    expect((source as unknown as DicomDescription).levels[1]).toMatchObject({ cols: 5, rows: 5 });
  });

  it('have their frames at their places though some lie beyond the slide', async () => {
    const places = Array.from({ length: 8 * 8 }, (_, i) => [i % 8, Math.floor(i / 8)] as const);
    const picture = gradient(192, 192);
    for (const organisation of ['TILED_FULL', 'TILED_SPARSE']) {
      const folder = folderOf(base(), coarse(192, 192, { picture, places, organisation, spacing: [0.00081, 0.00081] }));
      const slide = await openSlide(folder);
      const level = slide.info.levels[1]!;
      expect([level.width, level.downsample.toFixed(4)]).toEqual([144, '1.6200']);
      const source = await openTileSource(slide.source);
      const tile = Buffer.alloc(24 * 24 * 3);
      for (let row = 0; row < 6; row++)
        for (let col = 0; col < 6; col++) {
          expect(await source.readTile(1, col, row, tile)).toBe('decoded');
          expect(tile.equals(Buffer.from(cut(picture, col * 24, row * 24, 24, 24).data))).toBe(true);
        }
      source.close();
    }
  });

  it.each([
    [
      'that states the spacing of the finest',
      coarse(116, 116, { spacing: [0.0005, 0.0005] }),
      'neither its spacing nor its size',
    ],
    ['of another shape', coarse(116, 300, { spacing: [] }), 'neither its spacing nor its size'],
    [
      'whose pixels cannot be decoded',
      coarse(116, 116, { syntax: 'jpeg', transferSyntax: '1.2.840.10008.1.2.4.203' }),
      'its DICOM transfer syntax (HTJ2K, 1.2.840.10008.1.2.4.203) is not supported',
    ],
    ['of 16 bits', coarse(116, 116, { extra: [[TAG.bitsAllocated, 'US', 16]] }), '16-bit samples are not supported'],
  ])('are left out with a word: one %s', async (_, level, why) => {
    const { info } = await openSlide(folderOf(base(), level));
    expect(info.levels).toHaveLength(1);
    expect(info.notes).toEqual([{ code: 'level-left-out', message: expect.stringContaining(why) }]);
    expect(info.notes![0]!.message).not.toMatch(/dcm|case-/);
  });

  it('are left out when there is another one as coarse', async () => {
    const { info } = await openSlide(folderOf(base(), coarse(116, 116), coarse(120, 120, { number: 3 })));
    expect(info.levels).toMatchObject([{ width: 232 }, { width: 116, tileWidth: 24 }]);
    expect(info.notes).toMatchObject([
      { code: 'level-left-out', message: expect.stringContaining('another level is 2 times') },
    ]);
  });

  it('are not those of another frame of reference', async () => {
    const frame = (uid: string): Partial<InstanceOptions> => ({ extra: [[TAG.frameOfReferenceUid, 'UI', uid]] });
    const folder = folderOf(
      base(frame('7.1')),
      coarse(116, 116, frame('7.2')),
      coarse(58, 58, { spacing: [0.002, 0.002], number: 3 }),
    );
    const { info } = await openSlide(folder);
    expect(info.levels.map(({ width }) => width)).toEqual([232, 58]);
    expect(info.notes).toMatchObject([{ code: 'image-left-out' }]);
  });

  it('refuse the slide when the finest cannot be decoded', async () => {
    const failure = await failureOf(() =>
      openSlide(folderOf(base({ extra: [[TAG.bitsAllocated, 'US', 16]] }), coarse(116, 116))),
    );
    expect(failure.code).toBe('SLIDE_UNSUPPORTED');
  });
});

describe('frames at the edge', () => {
  const picture = gradient(100, 70);
  const write = (crop: (across: number, down: number) => readonly [number, number]) => {
    let frame = 0;
    const encode = (): Buffer => {
      const [col, row] = PLACES[frame++]!;
      const [width, height] = crop(Math.min(32, 100 - col * 32), Math.min(24, 70 - row * 24));
      return encodeJpeg(cut(picture, col * 32, row * 24, width, height), 95);
    };
    return folderOf(instance({ picture, tile: TILE, syntax: 'jpeg', encode }));
  };

  it.each<[string, (across: number, down: number) => readonly [number, number]]>([
    ['cut to the slide', (across, down) => [across, down]],
    ['cut to something between', (across, down) => [across < 32 ? across + 9 : 32, down < 24 ? down + 1 : 24]],
  ])('that are %s show what they should', async (_, crop) => {
    const folder = write(crop);
    const source = await openTileSource((await openSlide(folder)).source);
    const tile = Buffer.alloc(32 * 24 * 3);
    for (const [col, row] of PLACES) {
      expect(await source.readTile(0, col, row, tile)).toBe('decoded');
      const [across, down] = [Math.min(32, 100 - col * 32), Math.min(24, 70 - row * 24)];
      const wanted = cut(picture, col * 32, row * 24, across, down).data;
      for (let y = 0; y < down; y++) {
        const line = tile.subarray(y * 96, y * 96 + across * 3);
        expect(furthest(line, wanted.subarray(y * across * 3, (y + 1) * across * 3))).toBeLessThan(40);
      }
    }
    source.close();
  });

  it('that show less, or inside the slide, are damaged', async () => {
    for (const crop of [(across: number, down: number) => [across - 1, down] as const, () => [31, 24] as const]) {
      const source = await openTileSource((await openSlide(write(crop))).source);
      const tile = Buffer.alloc(32 * 24 * 3);
      expect((await failureOf(async () => source.readTile(0, 0, 0, tile))).code).toBe('TILE_CORRUPT');
      source.close();
    }
  });
});

describe('the spacing of a DICOM slide', () => {
  const open = async (more: Partial<InstanceOptions>) => (await openSlide(folderOf(instance(more)))).info;

  it('is one an axis, between columns and between rows', async () => {
    const { mpp, axes, notes } = await open({ spacing: [0.0006, 0.0004] });
    expect([axes, mpp]).toEqual([{ x: 0.4, y: 0.6 }, Math.sqrt(0.4 * 0.6)]);
    expect(notes).toMatchObject([{ code: 'axes-differ' }]);
  });

  it('is that of the functional groups before one in the data set itself', async () => {
    expect((await open({ straySpacing: '0.002\\0.002' })).mpp).toBe(0.5);
    expect((await open({ straySpacing: '0.002\\0.002', spacing: [] })).mpp).toBe(2);
  });

  it('is worked out from the imaged volume where none is stated, with a word', async () => {
    const { mpp, notes } = await open({ spacing: [], volume: [0.05, 0.035] });
    expect(mpp).toBeCloseTo(0.5, 6);
    expect(notes).toMatchObject([{ code: 'assumed', message: expect.stringContaining('imaged volume') }]);
    expect((await failureOf(() => open({ spacing: [], volume: [0, 0] }))).code).toBe('SLIDE_NO_MPP');
  });
});

describe('focal planes', () => {
  it('as instances of their own: the middle one by depth, whatever their order and names', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 6, maxLength: 6 }),
        async (depths, numbers) => {
          const folder = folderOf(
            ...depths.map((depth, i) =>
              instance({ picture: plain(100 + depth), depth: depth / 1000, number: numbers[i]! }),
            ),
          );
          const sorted = depths.toSorted((a, b) => a - b);
          const middle = sorted[Math.floor((sorted.length - 1) / 2)]!;
          expect(await greys(folder)).toEqual(all(100 + middle));
          const notes = await notesOf(folder);
          expect(notes).toMatchObject([{ code: 'plane-left-out' }]);
          expect(notes[0]!.message).toMatch(new RegExp(`^${depths.length - 1} image`));
          for (const depth of depths) expect(notes[0]!.message).toContain(String(depth / 1000));
        },
      ),
      { numRuns: 30 },
    ));

  it('as instances that each say how many there are in all', async () => {
    const stack = (depth: number, more: Partial<InstanceOptions> = {}) =>
      instance({ picture: plain(100 + depth), extra: [[TAG.totalPixelMatrixFocalPlanes, 'UL', 3]], ...more });
    const full = folderOf(...[2, -2, 0].map(depth => stack(depth, { depth })));
    const sparse = folderOf(
      ...[2, -2, 0].map(depth =>
        stack(depth, { organisation: 'TILED_SPARSE', places: PLACES, depths: PLACES.map(() => depth) }),
      ),
    );
    expect([await greys(full), await greys(sparse)]).toEqual([all(100), all(100)]);
  });

  it('of coarser levels: the one next to the finest’s', async () => {
    const half = (grey: number, depth: number) =>
      instance({ picture: plain(grey, 50, 35), spacing: [0.001, 0.001], depth, resampled: true });
    const folder = folderOf(
      ...[-4, 0, 4].map(depth => instance({ picture: plain(100 + depth), depth })),
      half(1, -5),
      half(2, 1),
      half(3, 9),
    );
    expect([await greys(folder), await greys(folder, 1)]).toEqual([all(100), all(2, 4)]);
  });

  it.each([1, 2, 3, 4, 5])('of TILED_FULL, %i of them, lie behind each other', async planes => {
    for (const paths of [1, 2]) {
      const layers = Array.from({ length: planes * paths }, (_, layer) => layer);
      let frame = 0;
      const folder = folderOf(
        instance({
          syntax: 'deflated-frames',
          encode: tile => deflated(tile, Math.floor(frame++ / 12)),
          places: layers.flatMap(() => PLACES),
          ...(paths === 2 ? { paths: ['F', 'B'] } : {}),
          extra: [[TAG.totalPixelMatrixFocalPlanes, 'UL', planes]],
        }),
      );
      const middle = Math.floor((planes - 1) / 2);
      expect(await greys(folder)).toEqual(all((paths === 2 ? planes : 0) + middle));
      expect((await notesOf(folder)).map(({ code }) => code)).toEqual([
        ...(planes > 1 ? ['plane-left-out'] : []),
        ...(paths > 1 ? ['image-left-out'] : []),
      ]);
    }
  });

  it('of TILED_FULL that their number does not tell are those that the frames make', async () => {
    let frame = 0;
    const folder = folderOf(
      instance({
        syntax: 'deflated-frames',
        encode: tile => deflated(tile, Math.floor(frame++ / 12)),
        places: [...PLACES, ...PLACES, ...PLACES],
      }),
    );
    expect(await greys(folder)).toEqual(all(1));
    expect(await notesOf(folder)).toMatchObject([{ code: 'plane-left-out' }]);
  });

  it('of frames with a position each: the middle of what a place has, in whatever order', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 5 }),
        fc.shuffledSubarray(
          Array.from({ length: 60 }, (_, i) => i),
          { minLength: 60 },
        ),
        async (depths, order) => {
          const frames = order
            .filter(i => i < depths.length * 12)
            .map(i => ({ place: PLACES[i % 12]!, depth: depths[Math.floor(i / 12)]! }));
          let frame = 0;
          const folder = folderOf(
            instance({
              syntax: 'deflated-frames',
              encode: tile => deflated(tile, 100 + frames[frame++]!.depth),
              organisation: 'TILED_SPARSE',
              places: frames.map(({ place }) => place),
              depths: frames.map(({ depth }) => depth / 1000),
            }),
          );
          const sorted = depths.toSorted((a, b) => a - b);
          expect(await greys(folder)).toEqual(all(100 + sorted[Math.floor((sorted.length - 1) / 2)]!));
          const codes = (await notesOf(folder)).map(({ code }) => code);
          expect(codes).toEqual(depths.length > 1 ? ['plane-left-out'] : []);
        },
      ),
      { numRuns: 30 },
    ));

  it('of a scanner that focuses each tile are none: one frame a place', async () => {
    const depths = PLACES.map((_, i) => i / 1000);
    const folder = folderOf(instance({ organisation: 'TILED_SPARSE', places: PLACES, depths }));
    expect([await greys(folder), await notesOf(folder)]).toEqual([all(10), []]);
  });
});

describe('light paths', () => {
  it('of frames with a position each: that of transmitted light', async () => {
    let frame = 0;
    const folder = folderOf(
      instance({
        syntax: 'deflated-frames',
        encode: tile => deflated(tile, frame++ % 2),
        organisation: 'TILED_SPARSE',
        places: PLACES.flatMap(place => [place, place]),
        paths: ['F', 'B'],
        framePaths: PLACES.flatMap(() => ['F', 'B']),
      }),
    );
    expect(await greys(folder)).toEqual(all(1));
    expect(await notesOf(folder)).toMatchObject([
      { code: 'image-left-out', message: expect.stringContaining('transmitted') },
    ]);
  });

  it('as instances of their own: that of transmitted light, else the first', async () => {
    const [first, second] = [
      instance({ picture: plain(1), paths: ['F'] }),
      instance({ picture: plain(2), paths: ['B'], number: 2 }),
    ];
    const other = instance({ picture: plain(3), paths: ['G'], number: 3 });
    expect(await greys(folderOf(first, second, other))).toEqual(all(2));
    const folder = folderOf(other, first);
    expect([await greys(folder), (await notesOf(folder)).map(({ code }) => code)]).toEqual([
      all(1),
      ['image-left-out'],
    ]);
  });
});

describe('instances of one size and place', () => {
  it('are one: not computed before computed, the first by its number', async () => {
    const number = (grey: number, given: number, more: Partial<InstanceOptions> = {}) =>
      instance({ picture: plain(grey), number: given, ...more });
    const folder = folderOf(number(3, 3), number(1, 1, { resampled: true }), number(2, 2));
    expect(await greys(folder)).toEqual(all(2));
    expect(await notesOf(folder)).toMatchObject([
      { code: 'instance-left-out', message: expect.stringMatching(/^2 images of 100 × 70/) },
    ]);
  });

  it('are those that can be decoded', async () => {
    const other = instance({ syntax: 'jpeg', transferSyntax: '1.2.840.10008.1.2.4.203' });
    const folder = folderOf(other, instance({ picture: plain(7), number: 2 }));
    expect([await greys(folder), await notesOf(folder)]).toMatchObject([all(7), [{ code: 'instance-left-out' }]]);
  });

  it('and of one UID: the file that was named, else the first, with a word', async () => {
    const [one, other] = [instance({ picture: plain(1) }, '5.5'), instance({ picture: plain(2) }, '5.5')];
    const folder = folderOf(one, other, instance({ picture: plain(1) }, '5.5'));
    expect(await greys(folder)).toEqual(all(1));
    expect((await notesOf(folder)).map(({ message }) => message)).toEqual([
      '1 file has the SOP Instance UID and the frames of another: a copy, not read',
      '1 file has the SOP Instance UID of another, and other pixels: the first by name is read; name the one that is meant',
    ]);
    expect(await greys(join(folder, '1.dcm'))).toEqual(all(2));
    expect((await notesOf(join(folder, '1.dcm'))).map(({ message }) => message)).toEqual([
      '2 files have the SOP Instance UID of the one that was named, and other pixels: not read',
    ]);
  });
});

describe('what is no instance of the slide', () => {
  const base = () => instance({ picture: plain(5), tile: TILE });
  const damaged = (options: Partial<InstanceOptions>) => {
    const bytes = instance(options);
    return bytes.fill(0x5a, bytes.length - 9000);
  };
  it.each<[string, () => Buffer]>([
    ['a thumbnail in HTJ2K', () => instance({ flavour: 'THUMBNAIL', transferSyntax: '1.2.840.10008.1.2.4.203' })],
    ['a label that is damaged', () => damaged({ flavour: 'LABEL' })],
    ['an overview that is cut off', () => instance({ flavour: 'OVERVIEW' }).subarray(0, 900)],
    ['a localizer without a size', () => instance({ flavour: 'LOCALIZER', extra: [[TAG.rows, 'US', 0]] })],
    ['a report', () => instance({ sopClass: '1.2.840.10008.5.1.4.1.1.88.33' }).subarray(0, 500)],
    ['annotations', () => instance({ sopClass: '1.2.840.10008.5.1.4.1.1.91.1' }).subarray(0, 600)],
    ['a directory', () => instance({ sopClass: '1.2.840.10008.1.3.10', transferSyntax: '9.9' })],
    ['something else', () => Buffer.from('no DICOM at all')],
    ['nothing', () => Buffer.alloc(0)],
  ])('is passed over: %s', async (_, other) => {
    const folder = folderOf(other(), base(), other());
    expect([await greys(folder), await notesOf(folder)]).toEqual([all(5), []]);
    expect(await greys(join(folder, '1.dcm'))).toEqual(all(5));
  });

  it('stands for its series when it is named, though it is a label', async () => {
    const folder = folderOf(instance({ flavour: 'LABEL' }), base());
    expect(await greys(join(folder, '0.dcm'))).toEqual(all(5));
    const alone = folderOf(instance({ flavour: 'LABEL' }));
    expect((await failureOf(() => openSlide(join(alone, '0.dcm')))).message).toMatch(/not a whole-slide image/);
    expect((await failureOf(() => openSlide(alone))).message).toMatch(/no DICOM whole slide, or a label/);
  });
});

describe('colour', () => {
  const golden = JSON.parse(readFileSync(new URL('../../golden/dicom/jpeg2000-frames.json', import.meta.url), 'utf8'));
  const [width, height] = golden.size as [number, number];
  const picture = gradient(width, height);
  /** Frames of the picture's samples, transformed by the codestream or not. */
  const j2k = (transformed: boolean, photometric: string) => {
    const frames = (golden[transformed ? 'YBR_RCT' : 'RGB'] as string[]).map(text => Buffer.from(text, 'base64'));
    return folderOf(
      instance({ picture, tile: golden.tile, syntax: 'jpeg2000', photometric, encode: () => frames.shift()! }),
    );
  };

  it.each<[string, boolean, 'rgb' | 'ycbcr', boolean]>([
    ['RGB', false, 'rgb', false],
    ['RGB', true, 'rgb', false],
    ['YBR_RCT', true, 'rgb', false],
    ['YBR_ICT', true, 'rgb', false],
    ['YBR_FULL', false, 'ycbcr', false],
    ['YBR_FULL_422', false, 'ycbcr', false],
    ['YBR_ICT', false, 'ycbcr', true],
    ['YBR_RCT', false, 'ycbcr', true],
    ['YBR_FULL', true, 'rgb', true],
    ['YBR_FULL_422', true, 'rgb', true],
  ])(
    'of JPEG 2000 said to be %s, transformed in the codestream: %s, is %s',
    async (photometric, inside, is, differs) => {
      const folder = j2k(inside, photometric);
      const pixels = await firstTile(folder);
      const wanted = cut(picture, 0, 0, ...(golden.tile as [number, number])).data;
      expect(furthest(pixels, is === 'rgb' ? wanted : rgbOf(wanted))).toBeLessThanOrEqual(1);
      expect(await notesOf(folder)).toMatchObject(differs ? [{ code: 'assumed' }] : []);
    },
  );

  it.each<[string, Partial<InstanceOptions>]>([
    ['by pixel', {}],
    ['by plane', { planar: true }],
    ['deflated', { syntax: 'deflated-frames' }],
  ])('of YBR_FULL without compression, %s, is RGB', async (_, options) => {
    const pixels = await firstTile(folderOf(instance({ picture, photometric: 'YBR_FULL', ...options })));
    expect(furthest(pixels, rgbOf(cut(picture, 0, 0, ...TILE).data))).toBeLessThanOrEqual(1);
  });

  it('of MONOCHROME1 is turned round', async () => {
    const grey = gradient(width, height, 1);
    const pixels = await firstTile(folderOf(instance({ picture: grey, photometric: 'MONOCHROME1' })));
    const wanted = [...cut(grey, 0, 0, ...TILE).data].flatMap(value => Array<number>(3).fill(255 - value));
    expect([...pixels]).toEqual(wanted);
    expect(await notesOf(folderOf(instance({ picture: grey })))).toMatchObject([{ code: 'grey' }]);
  });

  it('of JPEG said to be RGB and stored at lower resolution is YCbCr, with a word', async () => {
    const jpeg = (tile: Picture) => encodeJpeg(tile, 95, jpegTurbo.SAMP_420);
    const options = { picture, syntax: 'jpeg', encode: jpeg } as const;
    const folder = folderOf(instance({ ...options, photometric: 'RGB' }));
    expect(await notesOf(folder)).toMatchObject([
      { code: 'assumed', message: expect.stringContaining('read as YCbCr') },
    ]);
    expect(await firstTile(folder)).toEqual(await firstTile(folderOf(instance(options))));
  });

  it.each([
    ['PALETTE COLOR', 'native', /PALETTE COLOR\) is not supported without compression/],
    ['YBR_FULL_422', 'native', /YBR_FULL_422\) is not supported without compression/],
    ['YBR_PARTIAL_420', 'jpeg2000', /YBR_PARTIAL_420\) is not supported in JPEG 2000/],
    ['Doe^John', 'native', /its colour model is not supported/],
  ] as const)('%s is refused by its name', async (photometric, syntax, message) => {
    const failure = await failureOf(() =>
      openSlide(folderOf(instance({ photometric, syntax, encode: () => Buffer.alloc(2304) }))),
    );
    expect([failure.code, failure.message]).toEqual(['SLIDE_UNSUPPORTED', expect.stringMatching(message)]);
    expect(failure.message).not.toContain('Doe');
  });
});

/** A tile of one value, as a deflated frame. */
const deflated = ({ width, height }: Picture, grey: number): Buffer =>
  deflateRawSync(Buffer.alloc(width * height * 3, grey));

async function firstTile(path: string): Promise<Buffer> {
  const source = await openTileSource((await openSlide(path)).source);
  const { tileWidth, tileHeight } = source.levels[0]!;
  const tile = Buffer.alloc(tileWidth * tileHeight * 3);
  expect(await source.readTile(0, 0, 0, tile)).toBe('decoded');
  source.close();
  return tile;
}

/** ITU-T T.871, section 7. */
function rgbOf(samples: Uint8Array): Uint8Array {
  const clamp = (value: number) => Math.max(0, Math.min(255, Math.round(value)));
  return Uint8Array.from(samples, (_, i) => {
    const at = i - (i % 3);
    const [y, cb, cr] = [samples[at]!, samples[at + 1]! - 128, samples[at + 2]! - 128];
    return clamp([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb][i % 3]!);
  });
}

const furthest = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
