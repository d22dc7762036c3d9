import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { encodeImage, encodeIndexEntry, encodePartHeader, NDTIFF_TYPE } from '#src/simulate/ndtiff-entry.js';
import { writeInstance } from './dicom/instance-writer.js';
import { cut, encodeJpeg, gradient, type PageOptions, type Picture, plain, writeTiff } from './tiff-writer.js';

/** Slides of every kind the reader knows, of which any tile of any level may be missing or damaged. */

/** What became of a tile: 'white' decodes, to glass. */
export type Fate = 'sound' | 'missing' | 'empty' | 'garbage' | 'truncated' | 'white';

export interface SlideLevel {
  readonly picture: Picture;
  readonly tile: number;
}

export type FateOf = (level: number, col: number, row: number) => Fate;

export interface DamagedFormat {
  readonly name: string;
  /** What can become of its tiles. */
  readonly fates: readonly Fate[];
  /** Levels it has. */
  readonly levels: number;
  /** Its pixels are the picture's own. */
  readonly lossless: boolean;
  /** Written slowly: fewer are tried. */
  readonly slow?: boolean;
  /** It lists what it stores, and nothing else. */
  readonly listsStored?: boolean;
  /** Writes the slide into an empty folder; the path to open it by, its level 0 having 0.5 µm/px. */
  write(folder: string, levels: readonly SlideLevel[], fateOf: FateOf): Promise<string>;
}

const ANY: readonly Fate[] = ['missing', 'empty', 'garbage', 'truncated', 'white'];
/** Bytes that are pixels whatever they are, and a tile of fewer is still told. */
const RAW: readonly Fate[] = ['missing', 'empty', 'truncated', 'white'];

function damage(bytes: Buffer, fate: Fate): Buffer {
  if (fate === 'empty') return Buffer.alloc(0);
  if (fate === 'truncated') return bytes.subarray(0, bytes.length >> 1);
  if (fate === 'garbage') return Buffer.concat([Buffer.alloc(16, 0x11), bytes.subarray(16)]);
  return bytes;
}

const fateWithin = (fateOf: FateOf, level: number) => (col: number, row: number) => fateOf(level, col, row);

function tiff(name: string, compression: NonNullable<PageOptions['compression']>, fates = ANY): DamagedFormat {
  return {
    ...{ name: `TIFF, ${name}`, fates, levels: 3, lossless: compression !== 'jpeg' },
    write: async (folder, levels, fateOf) => {
      const pages = levels.map(({ picture, tile }, level): PageOptions => {
        const fate = fateWithin(fateOf, level);
        return {
          ...{ picture: whitened(picture, tile, fate), tile: [tile, tile], compression, resolution: 20_000 },
          ...(level > 0 ? { subfileType: 1 } : {}),
          missing: (col, row) => fate(col, row) === 'missing',
          damage: (bytes, col, row) => damage(bytes, fate(col, row)),
        };
      });
      const path = join(folder, 'slide.tif');
      writeFileSync(path, writeTiff(pages));
      return path;
    },
  };
}

function dicom(sparse: boolean): DamagedFormat {
  const fates = sparse ? ANY : ANY.filter(fate => fate !== 'missing');
  return {
    ...{ name: `DICOM, ${sparse ? 'sparse' : 'full'}`, fates, levels: 3, lossless: false, listsStored: sparse },
    write: async (folder, levels, fateOf) => {
      for (const [level, { picture, tile }] of levels.entries()) {
        const fate = fateWithin(fateOf, level);
        const places = placesOf(picture, tile).filter(([col, row]) => fate(col, row) !== 'missing');
        // A file without a frame is none.
        if (places.length === 0) places.push([0, 0]);
        let frame = 0;
        const encode = (part: Picture): Buffer => {
          const how = fate(...places[frame++]!);
          // Each frame has an item, and so has one without a picture.
          return how === 'empty' ? Buffer.alloc(2) : damage(encodeJpeg(part), how);
        };
        const spacing = [0.0005 * 2 ** level, 0.0005 * 2 ** level];
        const bytes = writeInstance({
          ...{ picture: whitened(picture, tile, fate), tile: [tile, tile], syntax: 'jpeg', table: 'basic' },
          ...{ places, encode, spacing, number: level + 1, photometric: 'YBR_FULL_422' },
          organisation: sparse ? 'TILED_SPARSE' : 'TILED_FULL',
        });
        writeFileSync(join(folder, `${level}.dcm`), bytes);
      }
      return folder;
    },
  };
}

const tileFolder = (format: 'png' | 'jpg'): DamagedFormat => ({
  ...{ name: `tile folder, ${format}`, fates: ANY, levels: 3, lossless: format === 'png', slow: true },
  write: async (folder, levels, fateOf) => {
    const described = levels.map(({ picture: { width, height }, tile }, level) => ({
      ...{ width, height, tileWidth: tile, tileHeight: tile, pattern: `${level}/X{col}Y{row}.${format}` },
    }));
    for (const [level, { picture, tile }] of levels.entries())
      await putTiles(picture, tile, fateWithin(fateOf, level), async (col, row, whole) => {
        const bytes = format === 'png' ? await png(cut(whole, col * tile, row * tile, tile, tile)) : undefined;
        return [
          join(folder, String(level), `X${col}Y${row}.${format}`),
          bytes ?? encodeJpeg(cut(whole, col * tile, row * tile, tile, tile)),
        ];
      });
    const path = join(folder, 'manifest.json');
    put(path, JSON.stringify({ mpp: 0.5, levels: described }));
    return path;
  },
});

const deepZoom: DamagedFormat = {
  ...{ name: 'DeepZoom', fates: ANY, levels: 3, lossless: true, slow: true },
  write: async (folder, levels, fateOf) => {
    const { width, height } = levels[0]!.picture;
    const side = levels[0]!.tile;
    const finest = Math.ceil(Math.log2(Math.max(width, height)));
    for (const [level, { picture }] of levels.entries())
      await putTiles(picture, side, fateWithin(fateOf, level), async (col, row, whole) => {
        const [left, top] = [Math.max(0, col * side - 1), Math.max(0, row * side - 1)];
        const right = Math.min(picture.width, (col + 1) * side + 1);
        const bottom = Math.min(picture.height, (row + 1) * side + 1);
        const bytes = await png(cut(whole, left, top, right - left, bottom - top));
        return [join(folder, 'slide_files', String(finest - level), `${col}_${row}.png`), bytes];
      });
    const path = join(folder, 'slide.dzi');
    const size = `<Size Width="${width}" Height="${height}"/>`;
    put(path, `<Image TileSize="${side}" Overlap="1" Format="png">${size}</Image>`);
    return path;
  },
};

const ndTiff: DamagedFormat = {
  ...{ name: 'NDTiff', fates: ['missing', 'white'], levels: 1, lossless: true },
  write: async (folder, [level], fateOf) => {
    const { picture, tile } = level!;
    const part = 'slide_NDTiffStack.tif';
    const size = { Width: picture.width, Height: picture.height, TileWidth: tile, TileHeight: tile, PixelSize_um: 0.5 };
    const whole = whitened(picture, tile, fateWithin(fateOf, 0));
    const parts = [encodePartHeader(size)];
    const entries: Buffer[] = [];
    let at = parts[0]!.length;
    for (const [column, row] of placesOf(picture, tile)) {
      if (fateOf(0, column, row) === 'missing') continue;
      const { data } = cut(whole, column * tile, row * tile, tile, tile);
      const image = encodeImage(at, tile, tile, data, {}, false);
      parts.push(image.bytes);
      at += image.bytes.length;
      entries.push(encodeIndexEntry({ row, column }, part, [tile, tile], NDTIFF_TYPE.rgb8, image));
    }
    writeFileSync(join(folder, part), Buffer.concat(parts));
    writeFileSync(join(folder, 'NDTiff.index'), Buffer.concat(entries));
    return join(folder, 'NDTiff.index');
  },
};

export const DAMAGED_FORMATS: readonly DamagedFormat[] = [
  tiff('not compressed', 'none', RAW),
  tiff('deflate', 'deflate'),
  tiff('LZW', 'lzw'),
  tiff('PackBits', 'packbits', RAW),
  tiff('JPEG', 'jpeg'),
  dicom(true),
  dicom(false),
  tileFolder('png'),
  tileFolder('jpg'),
  deepZoom,
  ndTiff,
];

/** Glass with tissue in places, of 128 × 96 pixels and its halves. */
export function levelsOf(tiles: readonly number[]): SlideLevel[] {
  const finest = plain(128, 96, [243, 242, 243]);
  const texture = gradient(128, 96);
  const stain = (left: number, top: number, width: number, height: number): void => {
    for (let y = top; y < top + height; y++)
      for (let x = left; x < left + width; x++)
        for (let c = 0; c < 3; c++) {
          const i = (y * 128 + x) * 3 + c;
          finest.data[i] = [215, 140, 180][c]! + (texture.data[i]! >> 3);
        }
  };
  stain(6, 8, 50, 40);
  stain(70, 60, 40, 30);
  stain(100, 4, 4, 30);
  const levels: SlideLevel[] = [];
  for (let picture = finest; levels.length < tiles.length; picture = halved(picture))
    levels.push({ picture, tile: tiles[levels.length]! });
  return levels;
}

function halved(picture: Picture): Picture {
  const [width, height] = [picture.width / 2, picture.height / 2];
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    const at = (dx: number, dy: number): number =>
      picture.data[((y * 2 + dy) * picture.width + x * 2 + dx) * 3 + c] as number;
    data[i] = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) >> 2;
  }
  return { width, height, samples: 3, data };
}

export const placesOf = ({ width, height }: Picture, tile: number): [col: number, row: number][] => {
  const cols = Math.ceil(width / tile);
  return Array.from({ length: cols * Math.ceil(height / tile) }, (_, i) => [i % cols, Math.floor(i / cols)]);
};

/** The picture, glass where a tile's fate is that. */
function whitened(picture: Picture, tile: number, fate: (col: number, row: number) => Fate): Picture {
  const data = Uint8Array.from(picture.data);
  for (const [col, row] of placesOf(picture, tile)) {
    if (fate(col, row) !== 'white') continue;
    for (let y = row * tile; y < Math.min(picture.height, (row + 1) * tile); y++)
      data.fill(
        255,
        (y * picture.width + col * tile) * 3,
        (y * picture.width + Math.min(picture.width, (col + 1) * tile)) * 3,
      );
  }
  return { ...picture, data };
}

async function putTiles(
  picture: Picture,
  tile: number,
  fate: (col: number, row: number) => Fate,
  encode: (col: number, row: number, whole: Picture) => Promise<[path: string, bytes: Buffer]>,
): Promise<void> {
  const whole = whitened(picture, tile, fate);
  for (const [col, row] of placesOf(picture, tile)) {
    if (fate(col, row) === 'missing') continue;
    const [path, bytes] = await encode(col, row, whole);
    put(path, damage(bytes, fate(col, row)));
  }
}

function put(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

const png = ({ width, height, data }: Picture): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
