import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOmeXml } from '#src/slide/tiff/ome-xml.js';

const pixels = (attributes: string, inside = '') =>
  `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ${attributes}>${inside}</Pixels></Image></OME>`;
const spacing = (attributes: string) => readOmeXml(pixels(attributes)).images[0]!.spacing;

describe('spacing in OME-XML', () => {
  it.each<[string, number]>([
    ['PhysicalSizeX="0.25"', 0.25],
    ["PhysicalSizeX='0.25' PhysicalSizeXUnit='µm'", 0.25],
    ['PhysicalSizeX = "0.25"\n  PhysicalSizeXUnit = "\u00b5m"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="\u03bcm"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="&#181;m"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="&#xB5;m"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="&#x3bc;m"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="&micro;m"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="\u00c2\u00b5m"', 0.25],
    ['PhysicalSizeX="0.25" PhysicalSizeXUnit="um"', 0.25],
    ['PhysicalSizeX="0,25"', 0.25],
    ['PhysicalSizeX="2.5e-1"', 0.25],
    ['PhysicalSizeX="250" PhysicalSizeXUnit="nm"', 0.25],
    ['PhysicalSizeX="250000" PhysicalSizeXUnit="pm"', 0.25],
    ['PhysicalSizeX="2500" PhysicalSizeXUnit="\u00c5"', 0.25],
    ['PhysicalSizeX="2500" PhysicalSizeXUnit="\u212b"', 0.25],
    ['PhysicalSizeX="0.00025" PhysicalSizeXUnit="mm"', 0.25],
    ['PhysicalSizeX="2.5E-5" PhysicalSizeXUnit="cm"', 0.25],
    ['PhysicalSizeX="2.5E-7" PhysicalSizeXUnit="m"', 0.25],
    ['PhysicalSizeX="9.84251968503937E-6" PhysicalSizeXUnit="in"', 0.25],
  ])('is read of %s', (attributes, expected) => {
    expect(spacing(attributes).x).toBeCloseTo(expected, 9);
  });

  it.each(['pixel', 'reference frame', 'parsec', '', 'constructor'])('is none in %s', unit => {
    expect(spacing(`PhysicalSizeX="0.25" PhysicalSizeXUnit="${unit}"`).x).toBeNaN();
  });

  it.each(['', 'PhysicalSizeX=""', 'PhysicalSizeX="about 0.25"', 'PhysicalSizeX="1.000,25"', 'PhysicalSizeX="0x10"'])(
    'is none of [%s]',
    attributes => {
      expect(spacing(attributes).x).toBeNaN();
    },
  );

  it('has a unit for each axis', () => {
    const both = 'PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.0005" PhysicalSizeYUnit="mm"';
    expect(spacing(both)).toEqual({ x: expect.closeTo(0.25, 9), y: expect.closeTo(0.5, 9) });
  });
});

describe('OME-XML', () => {
  it('passes over comments, CDATA, declarations, and elements that are not asked for', () => {
    const text = `<?xml version="1.0"?><!DOCTYPE x><!-- <Pixels SizeZ="9"/> --><ome:OME UUID="urn:uuid:A">
      <StructuredAnnotations><![CDATA[<Pixels SizeZ="8">]]><Value a="x>y"/></StructuredAnnotations>
      <ome:Instrument><ome:Objective NominalMagnification="40"/></ome:Instrument>
      <ome:Image Name="a &gt; b"><ome:Pixels SizeZ="3" SizeC="3" SizeT="2" DimensionOrder="XYZCT">
      <ome:Channel SamplesPerPixel="3"/><ome:TiffData IFD="4" FirstZ="1" PlaneCount="2"><ome:UUID FileName="b.tif">urn:uuid:B</ome:UUID></ome:TiffData>
      </ome:Pixels></ome:Image></ome:OME>`;
    expect(readOmeXml(text)).toEqual({
      uuid: 'urn:uuid:a',
      elsewhere: false,
      objective: '40',
      images: [
        {
          name: 'a > b',
          size: { Z: 3, C: 3, T: 2 },
          order: ['Z', 'C', 'T'],
          spacing: { x: Number.NaN, y: Number.NaN },
          planes: [{ ifd: 4, count: 2, first: { Z: 1, C: 0, T: 0 }, uuid: 'urn:uuid:b', fileName: 'b.tif' }],
        },
      ],
    });
  });

  it('says that the document stands elsewhere', () => {
    expect(readOmeXml('<OME><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:1"/></OME>').elsewhere).toBe(
      true,
    );
  });

  it('gives back what was written, however it was', () => {
    const style = fc.record({
      quote: fc.constantFrom('"', "'"),
      prefix: fc.constantFrom('', 'OME:', 'ns-1:'),
      space: fc.constantFrom(' ', '\n\t', '  '),
      entities: fc.boolean(),
    });
    const image = fc.record({
      name: fc.string({ maxLength: 30 }).filter(name => name === name.trim()),
      size: fc.record({
        Z: fc.integer({ min: 1, max: 50 }),
        C: fc.integer({ min: 1, max: 4 }),
        T: fc.integer({ min: 1, max: 9 }),
      }),
      order: fc.shuffledSubarray(['Z', 'C', 'T'], { minLength: 3 }),
      mpp: fc.double({ min: 0.05, max: 10, noNaN: true }),
      ifds: fc.array(fc.nat(4000), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(
        fc.array(image, { minLength: 1, maxLength: 5 }),
        style,
        (images, { quote, prefix, space, entities }) => {
          const escaped = (text: string) =>
            [...text].map(c => (entities || '<>&"\''.includes(c) ? `&#${c.codePointAt(0)};` : c)).join('');
          const tag = (name: string, attributes: Record<string, string | number>) =>
            `<${prefix}${name}${Object.entries(attributes)
              .map(([key, value]) => `${space}${key}=${quote}${escaped(String(value))}${quote}`)
              .join('')}`;
          const text = images
            .map(({ name, size, order, mpp, ifds }) => {
              const facts = {
                DimensionOrder: `XY${order.join('')}`,
                SizeZ: size.Z,
                SizeC: size.C,
                SizeT: size.T,
                PhysicalSizeX: mpp,
              };
              const data = ifds.map(ifd => `${tag('TiffData', { IFD: ifd })}/>`).join('');
              return `${tag('Image', { Name: name })}>${tag('Pixels', facts)}>${data}</${prefix}Pixels></${prefix}Image>`;
            })
            .join('\n');
          const read = readOmeXml(`<${prefix}OME>${text}</${prefix}OME>`).images;
          expect(
            read.map(({ name, size, order, spacing: { x }, planes }) => ({
              name,
              size,
              order,
              mpp: x,
              ifds: planes.map(({ ifd }) => ifd),
            })),
          ).toEqual(images);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('ends in linear time whatever the text, and never throws', () => {
    const parts = [
      '<',
      '>',
      '"',
      "'",
      '<!--',
      '-->',
      '<![CDATA[',
      '<Pixels ',
      'SizeZ=',
      '&#1',
      '<TiffData ',
      '/>',
      ' ',
      'a="',
      '<Image',
      '</',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 60 }), list => {
        expect(readOmeXml(list.join('')).images.length).toBeLessThanOrEqual(60);
      }),
      { numRuns: 500 },
    );
    // Each would take a careless expression minutes.
    for (const part of parts) readOmeXml(`<OME ${part.repeat(300_000)}`);
    for (const part of parts) readOmeXml(`<OME><Pixels a="${part.repeat(300_000)}`);
  });
});
