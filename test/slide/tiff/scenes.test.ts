import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlide, slideIdAt } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { scenesAt } from '#src/slide/tiff/open-tiff.js';
import { failureOf, scratch } from '../fixture.js';
import { gradient, type PageOptions, plain, scenery, writeTiff } from '../tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

interface Scene {
  readonly width: number;
  readonly height: number;
  readonly name?: string;
  /** Attributes of Pixels. */
  readonly pixels?: string;
  /** Instead of one plane of its own. */
  readonly data?: string;
  /** Its planes, by colour; one unless given. */
  readonly planes?: readonly (readonly number[])[];
  readonly page?: Partial<PageOptions>;
  readonly levels?: number;
}

const um = (x: number, y = x) => `PhysicalSizeX="${x}" PhysicalSizeY="${y}"`;

function write(name: string, scenes: readonly Scene[], root = ''): string {
  const pages: PageOptions[] = [];
  const images = scenes.map(
    ({ width, height, name: title = '', pixels = '', data, planes = [[120, 80, 100]], page, levels = 0 }) => {
      const start = pages.length;
      for (const colour of planes) {
        const level = (by: number): PageOptions => ({
          picture: plain(width / by, height / by, colour),
          tile: [64, 64],
          ...page,
        });
        const children = Array.from({ length: levels }, (_, i) => level(2 ** (i + 1)));
        pages.push({ ...level(1), ...(levels > 0 ? { children } : {}) });
      }
      const own = data ?? planes.map((_, i) => `<TiffData IFD="${start + i}" PlaneCount="1"/>`).join('');
      return `<Image Name="${title}"><Pixels SizeX="${width}" SizeY="${height}" SizeC="3" ${pixels}>${own}</Pixels></Image>`;
    },
  );
  const description = `<?xml version="1.0"?><OME ${root}>${images.join('')}</OME>`;
  const [first, ...rest] = pages;
  return files.write(name, writeTiff([{ ...first!, description }, ...rest]));
}

const notesOf = async (path: string) => (await openSlide(path)).info.notes ?? [];

describe('OME-TIFF of several images', () => {
  const two: readonly Scene[] = [
    { width: 256, height: 192, pixels: um(0.5), name: 'Jane Doe', levels: 1 },
    { width: 320, height: 256, pixels: um(0.25), planes: [[10, 200, 10]], levels: 2 },
  ];

  it('is a slide for each scene of tissue', async () => {
    const path = write('two.ome.tif', two);
    expect(scenesAt(path)).toEqual([`${path}#1`, `${path}#2`]);
    const [first, second] = await Promise.all(scenesAt(path).map(scene => openSlide(scene)));
    expect(first!.info).toMatchObject({ mpp: 0.5, levels: [{ width: 256 }, { width: 128, downsample: 2 }] });
    expect(second!.info).toMatchObject({
      mpp: 0.25,
      levels: [{ width: 320 }, { width: 160 }, { width: 80, downsample: 4 }],
    });
    expect([first!.info.notes, second!.info.notes]).toEqual([undefined, undefined]);
    expect(first!.info.id).toMatch(/^two_ome-[0-9a-f]{8}-scene1$/);
    expect(slideIdAt(`${path}#2`)).toBe(second!.info.id);
    expect(second!.info.fingerprint).not.toBe(first!.info.fingerprint);
    expect(second!.info.path).toBe(`${path}#2`);
    const tiles = await openTileSource(second!.source);
    const into = new Uint8Array(64 * 64 * 3);
    expect(await tiles.readTile(0, 4, 3, into)).toBe('decoded');
    expect([...into.subarray(0, 3)]).toEqual([10, 200, 10]);
    tiles.close();
  });

  it('is read by its largest scene where no number is given, and says so, by size and never by name', async () => {
    const path = write('largest.ome.tif', two);
    const { info } = await openSlide(path);
    expect(info.levels[0]).toMatchObject({ width: 256, mpp: 0.5 });
    expect(info.notes).toEqual([
      {
        code: 'image-left-out',
        message:
          "left out: scene 2 of 2, 320 × 256 px at 0.25 µm: a slide of its own; #2 behind the file's name reads it",
      },
    ]);
    expect(JSON.stringify(await openSlide(`${path}#2`))).not.toContain('Jane');
  });

  it.each<[string, readonly Scene[], RegExp]>([
    [
      'called a macro',
      [{ width: 512, height: 512, pixels: um(0.5), name: 'Macro image' }, two[0]!],
      /a label, macro or overview by its name/,
    ],
    [
      'far coarser',
      [{ width: 512, height: 512, pixels: um(8) }, two[0]!],
      /512 × 512 px at 8 µm: an overview by its spacing/,
    ],
    ['without a spacing', [{ width: 512, height: 512 }, two[0]!], /its spacing is not stated/],
    ['a reduced copy', [two[0]!, { width: 128, height: 96, pixels: um(1) }], /a reduced copy of another/],
    [
      'of 16 bits',
      [{ width: 512, height: 512, pixels: um(0.5), page: { extra: [[258, 3, [16, 16, 16]]] } }, two[0]!],
      /16-bit/,
    ],
    [
      'in another file',
      [
        two[0]!,
        {
          width: 512,
          height: 512,
          pixels: um(0.5),
          planes: [],
          data: '<TiffData><UUID FileName="other.ome.tif">urn:uuid:2</UUID></TiffData>',
        },
      ],
      /in another file/,
    ],
  ])('sets an image aside that is %s, with a note', async (name, scenes, message) => {
    const path = write(`${name.replace(/\W/g, '-')}.ome.tif`, scenes, 'UUID="urn:uuid:1"');
    expect(scenesAt(path)).toEqual([path]);
    const { info } = await openSlide(path);
    expect(info).toMatchObject({ mpp: 0.5, levels: [{ width: 256 }, { width: 128 }] });
    expect(info.notes).toEqual([{ code: 'image-left-out', message: expect.stringMatching(message) }]);
    expect(info.notes![0]!.message).toMatch(/scene [12] of 2/);
  });

  it('reads what was set aside by its number', async () => {
    const path = write('aside.ome.tif', [{ width: 512, height: 512, pixels: um(8), name: 'macro' }, two[0]!]);
    expect((await openSlide(`${path}#1`)).info).toMatchObject({ mpp: 8, levels: [{ width: 512 }] });
    // The others of tissue need no word where one was asked for.
    expect(await notesOf(`${path}#1`)).toEqual([]);
    const error = await failureOf(() => openSlide(`${path}#3`));
    expect(error).toMatchObject({ code: 'SLIDE_UNSUPPORTED', message: expect.stringContaining('has 2 scenes') });
  });

  it('without TiffData has its images in order', async () => {
    const path = write('order.ome.tif', [
      { ...two[0]!, data: '' },
      { ...two[1]!, data: '' },
    ]);
    expect((await openSlide(`${path}#2`)).info.levels).toMatchObject([{ width: 320 }, { width: 160 }, { width: 80 }]);
  });

  it('reads the middle focal plane of a stack, the first point in time, and says so', async () => {
    const planes = Array.from({ length: 10 }, (_, i) => [i * 10, 0, 0]);
    for (const [order, middle] of [
      ['XYZTC', 20],
      ['XYTZC', 40],
    ] as const) {
      const path = write(`${order}.ome.tif`, [
        { width: 128, height: 128, planes, pixels: `${um(0.5)} SizeZ="5" SizeT="2" DimensionOrder="${order}"` },
      ]);
      const { info, source } = await openSlide(path);
      expect(info.notes).toEqual([
        {
          code: 'plane-left-out',
          message: 'left out: 4 of 5 focal planes (the 3rd is read), 1 of 2 points in time (the first is read)',
        },
      ]);
      const tiles = await openTileSource(source);
      const into = new Uint8Array(64 * 64 * 3);
      await tiles.readTile(0, 0, 0, into);
      expect(into[0]).toBe(middle);
      tiles.close();
    }
  });

  it('takes the plane next to the middle where that one lies in another file', async () => {
    const data =
      '<TiffData IFD="0" FirstZ="0"/><TiffData IFD="0" FirstZ="1"><UUID FileName="b.ome.tif">urn:uuid:b</UUID></TiffData><TiffData IFD="1" FirstZ="2"/>';
    const path = write('part.ome.tif', [
      {
        width: 128,
        height: 128,
        data,
        planes: [
          [1, 0, 0],
          [2, 0, 0],
        ],
        pixels: `${um(0.5)} SizeZ="3"`,
      },
    ]);
    expect((await notesOf(path))[0]!.message).toContain('2 of 3 focal planes (the 1st is read)');
  });

  it('of a single file is read under any name', async () => {
    const data = '<TiffData IFD="0"><UUID FileName="before.ome.tif">urn:uuid:a</UUID></TiffData>';
    const path = write('after.ome.tif', [{ width: 128, height: 128, data, pixels: um(0.5) }]);
    expect((await openSlide(path)).info.levels).toHaveLength(1);
  });

  it('described in another file is refused by name', async () => {
    const description = '<OME UUID="urn:uuid:2"><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:1"/></OME>';
    const path = files.write('binary.ome.tif', writeTiff([{ picture: gradient(64, 64), tile: [64, 64], description }]));
    const error = await failureOf(() => openSlide(path));
    expect(error).toMatchObject({ code: 'SLIDE_UNSUPPORTED', message: expect.stringContaining('several files') });
    expect(error.fix).toContain('bfconvert');
  });

  it('takes levels from the main chain that no image claims', async () => {
    const description = `<OME><Image><Pixels SizeC="3" ${um(0.5)}><TiffData IFD="0"/></Pixels></Image></OME>`;
    const level = (by: number): PageOptions => ({ picture: scenery(512, 384, { by }), tile: [64, 64] });
    const path = files.write('chain.ome.tif', writeTiff([{ ...level(1), description }, level(2), level(4)]));
    expect((await openSlide(path)).info.levels.map(({ downsample }) => downsample)).toEqual([1, 2, 4]);
  });

  it('has axes of their own, in any unit', async () => {
    const pixels = 'PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="5e-5" PhysicalSizeYUnit="cm"';
    const { info } = await openSlide(write('axes.ome.tif', [{ width: 128, height: 128, pixels }]));
    expect(info).toMatchObject({ axes: { x: 0.25, y: 0.5 }, notes: [{ code: 'axes-differ' }] });
    expect(info.mpp).toBeCloseTo(Math.sqrt(0.125), 9);
  });
});

describe('scenesAt', () => {
  it.each([
    ['generic.tif', writeTiff([{ picture: gradient(64, 64), tile: [64, 64] }])],
    ['text.tif', Buffer.from('no slide')],
    ['slide.svs', Buffer.from('no slide')],
    ['empty.ome.tif', Buffer.alloc(0)],
  ])('is the path itself of other files: %s', (name, bytes) => {
    const path = files.write(name, bytes);
    expect(scenesAt(path)).toEqual([path]);
    expect(scenesAt(`${path}#1`)).toEqual([`${path}#1`]);
  });

  it('is the path itself of a folder, whatever its name', () => {
    const path = join(files.path('.'), 'folder.tif');
    mkdirSync(path);
    expect(scenesAt(path)).toEqual([path]);
  });
});

describe('a TIFF of several images', () => {
  const page = (width: number, height: number, more: Partial<PageOptions> = {}): PageOptions => ({
    picture: gradient(width, height),
    tile: [64, 64],
    ...more,
  });

  it('names those that are no level and no label', async () => {
    const path = files.write(
      'several.tif',
      writeTiff([
        page(512, 384, { resolution: 20_000 }),
        page(256, 192, { subfileType: 1 }),
        page(300, 500),
        page(512, 384),
        page(128, 192, { subfileType: 1 }),
        page(500, 20, { description: 'label' }),
        { picture: plain(400, 400, [1, 2, 3]), rowsPerStrip: 400 },
        { picture: plain(40, 40, [1, 2, 3]), rowsPerStrip: 40 },
      ]),
    );
    const { info } = await openSlide(path);
    expect(info.levels.map(({ downsample }) => downsample)).toEqual([1, 2]);
    expect(info.notes).toEqual([
      {
        code: 'level-left-out',
        message: 'levels left out, finer ones are read instead: 128 × 192 px (no one factor leads to its size)',
      },
      {
        code: 'image-left-out',
        message:
          'other images of the file left out: 512 × 384 px (there is another one of this size); 300 × 500 px (no one factor leads to its size)',
      },
      {
        code: 'image-left-out',
        message: 'other images of the file left out: 400 × 400 px (not tiled, as the slide is)',
      },
    ]);
  });

  it('is read without its transparency masks, and says so', async () => {
    const mask = { picture: gradient(256, 192, 1), photometric: 4 };
    const path = files.write(
      'mask.tif',
      writeTiff([
        page(256, 192, { resolution: 20_000 }),
        page(256, 192, { ...mask, subfileType: 4 }),
        page(128, 96, { subfileType: 1 }),
        page(128, 96, { ...mask, picture: gradient(128, 96, 1), subfileType: 5 }),
      ]),
    );
    const { info } = await openSlide(path);
    expect(info.levels).toHaveLength(2);
    expect(info.notes).toEqual([{ code: 'image-left-out', message: expect.stringContaining('a transparency mask') }]);
  });

  it('names eight of many', async () => {
    const path = files.write(
      'many.tif',
      writeTiff([page(128, 128, { resolution: 20_000 }), ...Array.from({ length: 12 }, () => page(128, 128))]),
    );
    const [note] = await notesOf(path);
    expect(note!.message.match(/128 × 128/g)).toHaveLength(8);
    expect(note!.message).toMatch(/; and 4 more$/);
  });

  it('states twice what it is in another way', async () => {
    const description = 'Aperio Image Library|MPP = 0.25';
    const path = files.write('twice.svs', writeTiff([page(128, 128, { resolution: 20_000, description })]));
    const { info } = await openSlide(path);
    expect(info).toMatchObject({
      mpp: 0.25,
      notes: [
        {
          code: 'assumed',
          message: expect.stringContaining('its description says 0.25 µm/px, its resolution tags 0.5 µm/px'),
        },
      ],
    });
  });
});
