import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { adobeTransform, jpegPrefix, prepareTile } from '../codec/jpeg/jpeg-stream.js';
import { StromaflowError } from '../errors.js';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceLevel, SourceSlide } from './source.js';

const JPEG = 7;
const JPEG_2000: Readonly<Record<number, 'ycbcr' | 'rgb'>> = { 33003: 'ycbcr', 33005: 'rgb' };

/** One level of a tile folder; lengths in its own pixels. */
interface ManifestLevel {
  readonly width: number;
  readonly height: number;
  /** Every tile is stored whole; those at the right and lower edge reach beyond the slide. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly cols: number;
  readonly rows: number;
  /** Level-0 pixels per pixel, where the sizes do not say; left out otherwise. */
  readonly downsample?: number;
  /** Name of a tile, columns and rows counted from 0. */
  readonly pattern: string;
  readonly codec: 'jpeg' | 'jpeg2000';
  /** What the samples of a JPEG 2000 tile are once decoded; a JPEG says so itself. */
  readonly colour?: 'ycbcr' | 'rgb';
  /** Tiles the scanner means to write: those missing from the grid are glass. */
  readonly tiles: number;
}

/** What manifest.json of a tile folder says: its one level, or several, the finest first. */
export type TileFolderManifest = {
  /** µm/px of level 0; left out when the slide does not say. */
  readonly mpp?: number;
} & (ManifestLevel | { readonly levels: readonly ManifestLevel[] });

/**
 * One image a tile, as field-by-field scanners write: `<slide>/X<col>Y<row>.jpg` (.j2k for JPEG 2000), of a pyramid
 * `<slide>/level-<n>/X<col>Y<row>.jpg`; manifest.json before the first tile (with `lateManifest` after the last), and an
 * empty `.done` at the very end.
 */
export async function openTileFolder(
  source: SourceSlide,
  folder: string,
  { lateManifest }: ScanSettings,
): Promise<ScanWriter> {
  const path = join(folder, source.name);
  const levels = source.levels.map((level, index) =>
    describeLevel(level, source.levels.length > 1 ? index : undefined),
  );
  const manifest: TileFolderManifest = {
    ...(source.mpp === undefined ? {} : { mpp: source.mpp }),
    ...(levels.length > 1 ? { levels } : levels[0]!),
  };
  const writeManifest = () => writeFile(join(path, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const { pattern } of levels) await mkdir(dirname(join(path, pattern)), { recursive: true });
  if (!lateManifest) await writeManifest();
  return {
    path,
    tile: async ({ level, col, row }, bytes) => {
      const { pattern, codec } = levels[level]!;
      const image = codec === 'jpeg2000' ? bytes : wholeJpeg(source.levels[level]!, bytes);
      await writeFile(join(path, pattern.replace('{col}', String(col)).replace('{row}', String(row))), image);
    },
    finish: async () => {
      if (lateManifest) await writeManifest();
      await writeFile(join(path, '.done'), '');
    },
    close: async () => {},
  };
}

/** @param index of a level of several. */
function describeLevel(level: SourceLevel, index: number | undefined): ManifestLevel {
  const { width, height, tileWidth, tileHeight, cols, rows, downsample, compression, byteCounts } = level;
  const colour = JPEG_2000[compression];
  if (compression !== JPEG && !colour)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `compression ${compression} cannot stand in files of its own`);
  return {
    width,
    height,
    tileWidth,
    tileHeight,
    cols,
    rows,
    ...(downsample === undefined ? {} : { downsample }),
    pattern: `${index === undefined ? '' : `level-${index}/`}X{col}Y{row}.${colour ? 'j2k' : 'jpg'}`,
    codec: colour ? 'jpeg2000' : 'jpeg',
    ...(colour ? { colour } : {}),
    tiles: byteCounts.reduce((count, bytes) => count + (bytes > 0 ? 1 : 0), 0),
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
