import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { adobeTransform, jpegPrefix, prepareTile } from '../slide/jpeg-stream.js';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceLevel, SourceSlide } from './source-slide.js';

const JPEG = 7;
const JPEG_2000: Readonly<Record<number, 'ycbcr' | 'rgb'>> = { 33003: 'ycbcr', 33005: 'rgb' };

/** What manifest.json of a tile folder says; lengths in pixels of level 0. */
export interface TileFolderManifest {
  readonly width: number;
  readonly height: number;
  /** Every tile is stored whole; those at the right and lower edge reach beyond the slide. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly cols: number;
  readonly rows: number;
  /** µm/px; left out when the slide does not say. */
  readonly mpp?: number;
  /** Name of a tile, columns and rows counted from 0. */
  readonly pattern: string;
  readonly codec: 'jpeg' | 'jpeg2000';
  /** What the samples of a JPEG 2000 tile are once decoded; a JPEG says so itself. */
  readonly colour?: 'ycbcr' | 'rgb';
  /** Tiles the scanner means to write: those missing from the grid are glass. */
  readonly tiles: number;
}

/**
 * One image a tile of the finest level, as field-by-field scanners write: `<slide>/X<col>Y<row>.jpg` (.j2k for JPEG 2000),
 * manifest.json before the first tile (with `lateManifest` after the last), and an empty `.done` at the very end.
 */
export async function openTileFolder(
  source: SourceSlide,
  folder: string,
  { lateManifest }: ScanSettings,
): Promise<ScanWriter> {
  const level = source.levels[0]!;
  const colour = JPEG_2000[level.compression];
  if (level.compression !== JPEG && !colour)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `compression ${level.compression} cannot stand in files of its own`);
  const path = join(folder, source.name);
  const extension = colour ? 'j2k' : 'jpg';
  const manifest: TileFolderManifest = {
    width: level.width,
    height: level.height,
    tileWidth: level.tileWidth,
    tileHeight: level.tileHeight,
    cols: level.cols,
    rows: level.rows,
    ...(source.mpp === undefined ? {} : { mpp: source.mpp }),
    pattern: `X{col}Y{row}.${extension}`,
    codec: colour ? 'jpeg2000' : 'jpeg',
    ...(colour ? { colour } : {}),
    tiles: level.byteCounts.reduce((count, bytes) => count + (bytes > 0 ? 1 : 0), 0),
  };
  const writeManifest = () => writeFile(join(path, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await mkdir(path, { recursive: true });
  if (!lateManifest) await writeManifest();
  return {
    path,
    tile: async ({ col, row }, bytes) => {
      const image = colour ? bytes : wholeJpeg(level, bytes);
      await writeFile(join(path, `X${col}Y${row}.${extension}`), image);
    },
    finish: async () => {
      if (lateManifest) await writeManifest();
      await writeFile(join(path, '.done'), '');
    },
    close: async () => {},
  };
}

/** A tile as a JPEG file any program shows: its level's tables in front, and a marker that says which colours these are. */
export function wholeJpeg({ jpegTables, photometric }: SourceLevel, tile: Uint8Array): Uint8Array {
  const stream = tile.slice();
  const frame = prepareTile(stream);
  if (!frame) return tile;
  if (frame.components === 1) return Buffer.concat([jpegPrefix(jpegTables, 1).bytes, stream.subarray(2)]);
  return Buffer.concat([jpegPrefix(jpegTables, adobeTransform(photometric, frame)).bytes, stream.subarray(2)]);
}
