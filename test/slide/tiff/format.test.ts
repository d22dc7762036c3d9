import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recogniseTiff } from '#src/slide/tiff/format.js';
import type { TiffPage } from '#src/slide/tiff/page.js';
import { tiffPage } from './page-fixture.js';

const page = (width: number, height: number, facts: Partial<TiffPage> = {}) => tiffPage({ width, height, ...facts });
const widths = (pages: readonly TiffPage[]) =>
  recogniseTiff(pages.map((each, index) => ({ ...each, index })))?.levels.map(level => level.page.width);
const describedAs = (description: string, facts: Partial<TiffPage> = {}) =>
  recogniseTiff([page(4000, 3000, { description, ...facts })])!;
const philipsText = (spacing: string) =>
  `<DataObject ObjectType="DPUfsImport"><Attribute Name="DICOM_PIXEL_SPACING" Group="0x0028">${spacing}</Attribute></DataObject>`;
const omeText = (pixels: string) => `<OME xmlns="x"><Image><Pixels ${pixels}></Pixels></Image></OME>`;

describe('the pyramid of a TIFF', () => {
  it('has every halved image, rounded either way, finest first, in whatever order they lie', () => {
    const size = fc.integer({ min: 3000, max: 200_000 });
    fc.assert(
      fc.property(
        size,
        size,
        fc.boolean(),
        fc.integer({ min: 1, max: 6 }),
        fc.integer(),
        (width, height, up, count, seed) => {
          const round = up ? Math.ceil : Math.floor;
          const levels = Array.from({ length: count + 1 }, (_, i) =>
            page(round(width / 2 ** i), round(height / 2 ** i)),
          );
          const turned = levels.map((level, i) => ({ level, key: Math.sin(seed + i * 7) }));
          const shuffled = turned.toSorted((a, b) => a.key - b.key).map(({ level }) => level);
          expect(widths(shuffled)).toEqual(levels.map(level => level.width));
        },
      ),
    );
  });

  it('leaves out images of another shape and of the same size', () => {
    const all = [
      page(8000, 6000),
      page(8000, 6000),
      page(4000, 3000),
      page(3900, 1200),
      page(2000, 1500),
      page(2000, 1500),
    ];
    expect(widths(all)).toEqual([8000, 4000, 2000]);
  });

  it('allows for padding to a whole tile, and for no more', () => {
    // 8000 × 6000 by 8 is 1000 × 750: padded to whole tiles 1024 × 768.
    expect(widths([page(8000, 6000), page(1024, 768)])).toEqual([8000, 1024]);
    expect(widths([page(8000, 6000), page(1024, 1024)])).toEqual([8000]);
  });

  it('is of striped images only where there are no tiled ones', () => {
    const striped = { tiled: false, tileWidth: 9000, tileHeight: 8 };
    expect(widths([page(9000, 6000, striped), page(8000, 6000)])).toEqual([8000]);
    expect(widths([page(9000, 6000, striped), page(4500, 3000, striped)])).toEqual([9000, 4500]);
    expect(recogniseTiff([page(9000, 6000, striped)])?.name).toBe('striped TIFF');
  });

  it.each([
    { subfileType: 9 },
    { description: 'Label 387x463' },
    { description: ' macro' },
    { description: 'THUMBNAIL' },
  ])('never has an associated image: %o', facts => {
    expect(widths([page(9000, 6000, facts), page(4000, 3000)])).toEqual([4000]);
    expect(recogniseTiff([page(9000, 6000, facts)])).toBeUndefined();
  });

  it('keeps an image whose description only begins alike', () => {
    expect(widths([page(9000, 6000, { description: 'labelled by hand' })])).toEqual([9000]);
  });

  it('needs an image', () => {
    expect(recogniseTiff([])).toBeUndefined();
  });
});

describe('the spacing of a TIFF', () => {
  it.each<[string, string, number | { x: number; y: number } | undefined]>([
    ['Aperio', 'Aperio Image|AppMag = 20|MPP = 0.4990', 0.499],
    ['Aperio without spaces', 'Aperio Image|MPP=0.25', 0.25],
    ['Aperio at the least', 'Aperio Image|MPP = 0.05', 0.05],
    ['Aperio at the most', 'Aperio Image|MPP = 10', 10],
    ['Aperio below any microscope', 'Aperio Image|MPP = 0.049', undefined],
    ['Aperio beyond any', 'Aperio Image|MPP = 10.1', undefined],
    ['Aperio in words', 'Aperio Image|MPP = half', undefined],
    ['Philips, in mm', philipsText('&quot;0.000227273&quot; &quot;0.000227273&quot;'), 0.227273],
    [
      'Philips, between rows and then between columns',
      philipsText('&quot;0.0002&quot; &quot;0.0004&quot;'),
      { x: 0.4, y: 0.2 },
    ],
    ['Philips, with commas', philipsText('&quot;0,00025&quot; &quot;0,00025&quot;'), 0.25],
    ['Aperio, with a comma', 'Aperio Image|MPP = 0,500000', 0.5],
    ['Aperio, with thousands', 'Aperio Image|MPP = 1,000,000', undefined],
    ['Philips, of one', philipsText('&quot;2.5e-4&quot;'), 0.25],
    ['OME, in µm unless it says otherwise', omeText('PhysicalSizeX="0.4" PhysicalSizeY="0.6"'), { x: 0.4, y: 0.6 }],
    ['OME, of one axis', omeText('PhysicalSizeX="0.4"'), 0.4],
    [
      'OME, in nm and mm',
      omeText('PhysicalSizeX="400" PhysicalSizeXUnit="nm" PhysicalSizeY="0.0006" PhysicalSizeYUnit="mm"'),
      { x: 0.4, y: 0.6 },
    ],
    [
      'OME, with the Greek letter for micro',
      omeText('PhysicalSizeX="0.4" PhysicalSizeXUnit="\u03bcm" PhysicalSizeY="0.4"'),
      0.4,
    ],
    [
      'OME, in pixels, which are no length',
      omeText('PhysicalSizeX="0.4" PhysicalSizeXUnit="pixel" PhysicalSizeY="0.4" PhysicalSizeYUnit="reference frame"'),
      undefined,
    ],
  ])('is read of %s', (_, description, expected) => {
    const { mpp } = describedAs(description);
    if (typeof expected === 'number') expect(mpp).toBeCloseTo(expected, 9);
    else if (expected === undefined) expect(mpp).toBeUndefined();
    else expect(mpp).toEqual({ x: expect.closeTo(expected.x, 9), y: expect.closeTo(expected.y, 9) });
  });

  it.each([
    ['Aperio Image|AppMag = 20', 0.5],
    [omeText('SizeC="3"'), 0.5],
    ['', 0.5],
  ])('falls back on the resolution tags: %s', (description, spacing) => {
    expect(describedAs(description, { spacing: { x: spacing, y: spacing } }).mpp).toBe(spacing);
    expect(describedAs(description, { spacing: { x: spacing, y: 0.25 } }).mpp).toEqual({ x: spacing, y: 0.25 });
    expect(describedAs(description, { spacing: { x: 352.8, y: 352.8 } }).mpp).toBeUndefined();
  });
});

describe('what a TIFF says of itself', () => {
  it('names its format', () => {
    const names = ['Aperio Image', philipsText('1'), omeText(''), ''].map(text => describedAs(text).name);
    expect(names).toEqual(['Aperio SVS', 'Philips TIFF', 'OME-TIFF', 'generic tiled TIFF']);
  });

  it.each([
    [1, 'none'],
    [5, 'LZW'],
    [8, 'deflate'],
    [32_946, 'deflate'],
    [32_773, 'PackBits'],
    [33_005, 'JPEG 2000 (RGB)'],
    [50_001, 'code 50001'],
  ])('names compression %i', (compression, name) => {
    expect(describedAs('', { compression, hasIcc: true }).properties).toEqual({ icc: 'present', compression: name });
  });

  it('passes on an objective and a scanner of the right shape, and no other text', () => {
    const of = (magnification: string, scanner: string) =>
      describedAs(`Aperio Image|AppMag = ${magnification}|ScanScope ID = ${scanner}|Patient = X`).properties;
    expect(of('40', 'SS1302')).toEqual({ icc: 'absent', compression: 'JPEG', objective: '40', scanner: 'SS1302' });
    expect(of('20.5', 'GT 450-B_2.1')).toMatchObject({ objective: '20.5', scanner: 'GT 450-B_2.1' });
    expect(of('4000', 'Smith, John: 4711')).toEqual({ icc: 'absent', compression: 'JPEG' });
    expect(of('x', 'a'.repeat(33))).toEqual({ icc: 'absent', compression: 'JPEG' });
  });

  it('says when OME channels are more than an image has', () => {
    expect(describedAs(omeText('SizeC="4"')).problem?.what).toBe('stores its 4 channels as separate images');
    expect(describedAs(omeText('SizeC="3"')).problem).toBeUndefined();
  });

  it('takes OME levels from SubIFDs, where there are any, and else from the main chain', () => {
    const first = page(8000, 6000, { description: omeText('') });
    const inside = { ...first, subDirectories: [page(4000, 3000)] };
    expect(widths([inside, page(2000, 1500)])).toEqual([8000, 4000]);
    expect(widths([first, page(2000, 1500), page(1000, 750, { tiled: false })])).toEqual([8000, 2000]);
  });

  it('reads any text in linear time', () => {
    // Each would take a careless expression minutes; here they only have to end with what they are.
    const long = ' '.repeat(300_000);
    expect(describedAs(`Aperio|${long}MPP${long}=${long}0.5`).mpp).toBeUndefined();
    expect(describedAs(`DPUfsImport${'Name="DICOM_PIXEL_SPACING"'.repeat(20_000)}`).mpp).toBeUndefined();
    expect(describedAs(`<OME ${'<Pixels '.repeat(50_000)}`).mpp).toBeUndefined();
  });
});
