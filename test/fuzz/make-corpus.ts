import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';
import jpegTurbo from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { type InstanceOptions, writeInstance } from '../slide/dicom/instance-writer.js';
import { encodeJpeg, gradient, lzw, type PageOptions, packBits, writeTiff } from '../slide/tiff-writer.js';

/**
 * Writes the fuzzer's own seeds: small files of every layout the readers know, so that a mutation hits what matters.
 *
 *     npx tsc -p test --noEmit false --outDir dist && node dist/test/fuzz/make-corpus.js test/fuzz/corpus
 */
const root = process.argv[2] ?? fileURLToPath(new URL('corpus', import.meta.url));

function put(name: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(`${root}/${name}`), { recursive: true });
  writeFileSync(`${root}/${name}`, bytes);
}

const picture = gradient(70, 50);
const half = gradient(35, 25);
const tile = [32, 16] as const;
/** A mask of four classes. */
const labels = { ...gradient(70, 50, 1), data: gradient(70, 50, 1).data.map(value => value >> 6) };
const page = { picture, tile, resolution: 20_000 } satisfies PageOptions;
const reduced = { picture: half, tile, subfileType: 1 } satisfies PageOptions;

put(
  'tiff/lzw-pyramid.tif',
  writeTiff([
    { ...page, compression: 'lzw', predictor: 2 },
    { ...reduced, compression: 'lzw' },
  ]),
);
put('tiff/deflate-big-endian.tif', writeTiff([{ ...page, compression: 'deflate', icc: true }], { bigEndian: true }));
put(
  'tiff/packbits-bigtiff-big-endian.tif',
  writeTiff([{ ...page, compression: 'packbits' }], { big: true, bigEndian: true }),
);
put('tiff/strips-grey.tif', writeTiff([{ picture: gradient(40, 30, 1), rowsPerStrip: 7, resolution: 20_000 }]));
put(
  'tiff/ome-bigtiff-subifds.tif',
  writeTiff(
    [
      {
        ...page,
        compression: 'jpeg',
        description:
          '<?xml version="1.0"?><OME xmlns="x"><Instrument><Objective NominalMagnification="40"/></Instrument><Image><Pixels SizeC="3" PhysicalSizeX="0.5" PhysicalSizeXUnit="µm" PhysicalSizeY="0.5"/></Image></OME>',
        children: [{ ...reduced, compression: 'jpeg' }],
      },
    ],
    { big: true },
  ),
);
put(
  'tiff/aperio.tif',
  writeTiff([
    {
      ...page,
      compression: 'jpeg',
      subsampling: jpegTurbo.SAMP_420,
      description:
        'Aperio Image Library v1\r\n70x50 [0,0 70x50] (32x16) JPEG/RGB Q=70|AppMag = 20|ScanScope ID = CPAPERIO|MPP = 0.499',
      missing: col => col === 2,
    },
    { picture: half, rowsPerStrip: 25, description: 'thumbnail' },
    { ...reduced, compression: 'jpeg' },
  ]),
);
put(
  'tiff/philips.tif',
  writeTiff([
    {
      ...page,
      compression: 'jpeg',
      description:
        '<DataObject ObjectType="DPUfsImport"><Attribute Name="DICOM_MANUFACTURERS_MODEL_NAME" PMSVR="IString">UFS</Attribute><Attribute Name="DICOM_PIXEL_SPACING" PMSVR="IDoubleArray">&quot;0.0005&quot; &quot;0.0005&quot;</Attribute></DataObject>',
    },
    { ...reduced, compression: 'jpeg' },
  ]),
);
for (const compression of ['none', 'lzw', 'deflate', 'packbits'] as const)
  put(`mask/${compression}.tif`, writeTiff([{ picture: labels, tile: [16, 16], compression, resolution: 20_000 }]));

const base: InstanceOptions = { picture: gradient(70, 50), tile: [32, 24] };
const jpeg: Partial<InstanceOptions> = { syntax: 'jpeg', encode: frame => encodeJpeg(frame) };
for (const [name, options] of Object.entries<InstanceOptions>({
  uncompressed: base,
  'implicit-positions': { ...base, syntax: 'implicit', organisation: 'TILED_SPARSE' },
  deflated: { ...base, syntax: 'deflated' },
  'deflated-frames': { ...base, syntax: 'deflated-frames' },
  'jpeg-sparse': { ...base, ...jpeg, organisation: 'TILED_SPARSE', undefinedLengths: true },
  'jpeg-extended-table': { ...base, ...jpeg, table: 'extended' },
  'jpeg-without-table': { ...base, ...jpeg, table: 'none', fragments: 2 },
}))
  put(`dicom/${name}.dcm`, writeInstance(options));

const square = gradient(64, 64);
const raw = { raw: { width: 64, height: 64, channels: 3 as const } };
put('jpeg/444.jpg', encodeJpeg(square));
put('jpeg/420.jpg', encodeJpeg(square, 80, jpegTurbo.SAMP_420));
put('jpeg/422.jpg', encodeJpeg(square, 80, jpegTurbo.SAMP_422));
put('jpeg/grey.jpg', encodeJpeg(gradient(64, 64, 1)));
put('jpeg/progressive.jpg', await sharp(square.data, raw).jpeg({ progressive: true }).toBuffer());
put('image/tile.png', await sharp(square.data, raw).png().toBuffer());
put('image/palette.png', await sharp(square.data, raw).png({ palette: true }).toBuffer());
put('image/tile.webp', await sharp(square.data, raw).webp().toBuffer());
put('image/tile.tif', await sharp(square.data, raw).tiff({ compression: 'lzw' }).toBuffer());

/** Runs and noise, so that every kind of code occurs. */
const samples = square.data.map((value, i) => (i % 5000 < 3000 ? value & 0xf0 : value));
put('raw/packbits', packBits(samples));
put('raw/lzw', lzw(samples));
put('raw/deflate', deflateSync(samples));
put('raw/none', samples);
