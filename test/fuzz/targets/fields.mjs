import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBmp } from '#src/codec/image/bmp.js';
import { readFieldScan, readFieldSet } from '#src/slide/fields/field-scan.js';
import { seedsOf, textSeed } from '../corpus.mjs';
import { mutateBytes } from '../mutate.mjs';
import { mutateText } from '../mutate-text.mjs';
import { MIB, readSlide, SLIDE_CODES } from './read-slide.mjs';

const CODES = [...SLIDE_CODES, 'FILE_NOT_FOUND'];
const PARAMETERS = JSON.stringify({
  'dx(mm)': 0.032,
  Nx: 2,
  'dy(mm)': 0.032,
  Ny: 1,
  Nz: 1,
  Nt: 1,
  sensor_pixel_size_um: 10,
  tube_lens_mm: 180,
  objective: { magnification: 20, NA: 0.8, tube_lens_f_mm: 180 },
});

const TABLES = [
  'region,fov,z_level,x (mm),y (mm),z (um),time\nA1,0,0,0,0,900,t\nA1,1,0,0.032,0,901,t\nB1,0,0,0,0,9,t\n',
  'region,x (mm),y (mm),z (mm)\nA1,0,0,\nA1,0.032,0,\n',
  'file,x,y\na.png,0,0\nb.png,64,0\nc.png,0,64\n',
  '\uFEFFy (mm),file,x (mm)\r\n0,"a.png",0\r\n0,b.png,0.032\r\n',
].map((text, i) => textSeed(`coordinates ${i}`, text));

/** Images by all names that the tables above know. */
function putImages(folder) {
  mkdirSync(join(folder, '0'), { recursive: true });
  const [{ bytes }] = seedsOf('corpus', 'image', /\.png$/);
  for (const name of ['a', 'b', 'c', 'A1_0_0_BF', 'A1_1_0_BF', '0/A1_0_0_BF', '0/A1_1_0_BF'])
    writeFileSync(join(folder, `${name}.png`), bytes);
}

/** A bitmap of 8 × 8 pixels, rows bottom up. */
function makeBitmap(bits) {
  const stride = Math.ceil((8 * bits) / 32) * 4;
  const bytes = Buffer.alloc(54 + 8 * stride, 90);
  bytes.fill(0, 0, 54).write('BM', 'latin1');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(8, 18);
  bytes.writeInt32LE(8, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(bits, 28);
  return { name: `${bits}-bit bitmap`, bytes };
}

/** Scans field by field: the table, the parameters beside it, and the images that only they have. */
export const FIELDS = [
  {
    name: 'coordinates',
    seeds: () => TABLES,
    mutate: mutateText,
    codes: CODES,
    bound: { base: 64 * MIB, perByte: 256 },
    setUp: ({ folder }) => {
      putImages(folder);
      writeFileSync(join(folder, 'acquisition parameters.json'), PARAMETERS);
    },
    run: async (bytes, files) => {
      const path = files.write('coordinates.csv', bytes);
      const scan = readFieldScan(path, true);
      for (const region of scan?.regions.slice(0, 2) ?? []) {
        await readFieldSet(scan, region, 0.5, true);
        await readSlide(`${path}#${region}`);
      }
    },
  },
  {
    name: 'parameters',
    seeds: () => [textSeed('acquisition parameters.json', PARAMETERS)],
    mutate: mutateText,
    codes: CODES,
    bound: { base: 64 * MIB, perByte: 64 },
    setUp: ({ folder }) => {
      putImages(folder);
      writeFileSync(join(folder, 'coordinates.csv'), TABLES[1].bytes);
    },
    run: async (bytes, files) => {
      files.write('acquisition parameters.json', bytes);
      const scan = readFieldScan(join(files.folder, 'coordinates.csv'), true);
      if (scan) await readFieldSet(scan, 'A1', undefined, true);
    },
  },
  {
    name: 'bmp',
    seeds: () => [makeBitmap(24), makeBitmap(32)],
    mutate: mutateBytes,
    codes: ['TILE_CORRUPT'],
    bound: { base: 8 * MIB, perByte: 64 },
    run: bytes => void decodeBmp('field.bmp', bytes, 64),
  },
];
