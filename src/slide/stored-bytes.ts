import { join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { DICOM_KIND, type DicomDescription, type DicomLevel, type PartList } from './dicom/description.js';
import { GROWING_DICOM_KIND, type GrowingDicomDescription } from './dicom/growing-dicom-source.js';
import { PartTable } from './dicom/part-table.js';
import { NDTIFF_KIND, NDTIFF_TYPES, type NdTiffDescription, partName } from './ndtiff/description.js';
import { REMOTE_TIFF_KIND } from './remote/description.js';
import type { LevelGeometry, TileSourceDescription } from './slide.js';
import type { TiffDescription } from './tiff/description.js';
import { mostBytes, shownBy, TILE_FOLDER_KIND, type TileFolderDescription, tileName } from './tile-folder/tile-set.js';

/** Bytes that a tile is read from. */
export interface StoredPiece {
  readonly path: string;
  readonly offset: number;
  /** Undefined: the whole file, which may not be there; a file of which only a part is there is damaged. */
  readonly length?: number;
  /** The slide's reader takes no link for this file: it is to lie below `folder` itself, and as a whole to have at most so many bytes. */
  readonly below?: { readonly folder: string; readonly most: number };
  /** Most tiles of the slide are read from it. */
  readonly isShared?: true;
}

/** Where the bytes of a tile lie; none where the slide lists no such tile. */
export type PiecesOf = (level: number, col: number, row: number) => readonly StoredPiece[];

/**
 * Where the tiles of a slide lie on disk.
 *
 * @throws SLIDE_UNSUPPORTED for slides whose bytes only a library finds (OpenSlide), and for those at an address.
 */
export function storedPieces(source: TileSourceDescription): PiecesOf {
  switch (source.kind) {
    case 'tiff':
      return ofTiff(source as TiffDescription);
    case DICOM_KIND: {
      const { levels, files } = source as DicomDescription;
      return ofDicom(levels, files);
    }
    case GROWING_DICOM_KIND: {
      const { levels, parts } = source as GrowingDicomDescription;
      return ofDicom(levels, new PartTable(parts));
    }
    case TILE_FOLDER_KIND:
      return ofFolder(source as TileFolderDescription);
    case NDTIFF_KIND:
      return ofNdTiff(source as NdTiffDescription);
    case REMOTE_TIFF_KIND:
      throw new StromaflowError('SLIDE_UNSUPPORTED', `${source.path}: tiles at an address are not shipped`, {
        fix: 'leave --ship tiles off: workers read the slide at its address, as ingest does',
      });
    default:
      throw new StromaflowError('SLIDE_UNSUPPORTED', `${source.path}: where its tiles lie is not known`, {
        fix: 'leave --ship tiles off and give the workers its folder, or convert it to a tiled TIFF',
      });
  }
}

/** Levels as whoever reads the source has them. @param stated of the slide, where the source has none of its own */
export function levelsOf(source: TileSourceDescription, stated: readonly LevelGeometry[]): readonly LevelGeometry[] {
  const own = source['levels'];
  return Array.isArray(own) ? (own as readonly LevelGeometry[]) : stated;
}

function ofTiff({ path, levels }: TiffDescription): PiecesOf {
  return (level, col, row) => {
    const { cols, offsets, byteCounts } = levels[level]!;
    const [offset, length] = [offsets[row * cols + col]!, byteCounts[row * cols + col]!];
    return length > 0 ? [{ path, offset, length }] : [];
  };
}

function ofDicom(levels: readonly DicomLevel[], files: PartList): PiecesOf {
  return (level, col, row) => {
    const { cols, parts, starts, ends } = levels[level]!;
    const tile = row * cols + col;
    const part = files.at(parts[tile] ?? -1);
    if (!part) return [];
    if (part.deflatedFrom !== undefined) return [{ path: part.path, offset: 0, isShared: true }];
    return [{ path: part.path, offset: starts[tile]!, length: ends[tile]! - starts[tile]! }];
  };
}

function ofFolder({ folder, levels }: TileFolderDescription): PiecesOf {
  return (level, col, row) => {
    const geometry = levels[level]!;
    const { cols } = geometry;
    const shown = shownBy(geometry, row * cols + col);
    const images = [
      ...(shown === undefined ? [] : [[shown % cols, Math.floor(shown / cols)] as const]),
      [col, row] as const,
    ];
    const names = images.map(([x, y]) => tileName(geometry, x, y)).filter(name => name !== '');
    const below = { folder, most: mostBytes(geometry) };
    return names.map(name => ({ path: join(folder, name), offset: 0, below }));
  };
}

function ofNdTiff({ folder, prefix, levels }: NdTiffDescription): PiecesOf {
  return (level, col, row) => {
    const { cols, offsets, parts, types, imageWidth, tileHeight, top } = levels[level]!;
    const tile = row * cols + col;
    const depth = NDTIFF_TYPES[types[tile]!] ?? 0;
    if (!offsets[tile]) return [];
    const path = join(folder, partName(prefix, parts[tile]!));
    const below = { folder, most: Number.POSITIVE_INFINITY };
    const offset = offsets[tile]! + top * imageWidth * depth;
    return [{ path, offset, length: imageWidth * tileHeight * depth, below }];
  };
}
