import type { FieldCells } from '../fields/cells.js';
import type { SlideNote } from '../note.js';
import type { AxisSpacing, LevelGeometry } from '../slide.js';

/** What the samples of a JPEG 2000 tile are. */
export type TileColour = 'ycbcr' | 'rgb';

/** One level of a slide that is stored as one image a tile: plain data, cloned to the reader threads. */
export interface TileSetLevel extends LevelGeometry {
  readonly cols: number;
  readonly rows: number;
  /** Below the set's folder, `/` between names: {col}, {row}, and {group} where a folder holds so many tiles. */
  readonly pattern: string;
  /** Tiles of other levels that stand before this level's first in the groups. */
  readonly before: number;
  /** Pixels that a tile repeats of each neighbour. */
  readonly overlap: number;
  /** Edge tiles are stored whole, reaching beyond the slide; else cut to it. */
  readonly whole: boolean;
  readonly colour: TileColour;
  /** Tiles that the scanner means to write, where it says so. */
  readonly tiles: number | undefined;
  /** The images are a microscope's fields, each larger than its tile, with names of their own. */
  readonly fields?: FieldCells;
}

/** A slide as a folder of tile images. */
export interface TileSet {
  /** For people. */
  readonly format: string;
  /** The file that describes it. */
  readonly manifest: string;
  /** What the slide is called by: the manifest, with `#` and a region where it describes several slides. */
  readonly path: string;
  /** Where the patterns begin. */
  readonly folder: string;
  /** Folders in which `.done` may stand when the last tile is written. */
  readonly doneIn: readonly string[];
  readonly mpp: number | AxisSpacing | undefined;
  /** Finest first. */
  readonly levels: readonly Omit<TileSetLevel, 'mpp'>[];
  readonly notes?: readonly SlideNote[];
}

export const TILE_FOLDER_KIND = 'tile-folder';

/** Description of a tile set for the reader threads. A type, so that it fits TileSourceDescription. */
export type TileFolderDescription = {
  readonly kind: typeof TILE_FOLDER_KIND;
  readonly path: string;
  readonly manifest: string;
  readonly folder: string;
  readonly levels: readonly TileSetLevel[];
};

/** Tiles a Zoomify folder holds. */
const GROUP = 256;

type Level = Omit<TileSetLevel, 'mpp'>;

/** Name of a tile below the set's folder; empty where no tile will ever be. */
export function tileName({ pattern, cols, before, fields }: Level, col: number, row: number): string {
  if (fields) return fields.names[row * cols + col]!;
  return pattern
    .replaceAll('{col}', String(col))
    .replaceAll('{row}', String(row))
    .replaceAll('{group}', String(Math.floor((before + row * cols + col) / GROUP)));
}

/** Every tile of a level by its name; `row × cols + col` of each. */
export function tileNames(level: Level): Map<string, number> {
  const names = new Map<string, number>();
  for (let row = 0, tile = 0; row < level.rows; row++)
    for (let col = 0; col < level.cols; col++, tile++) {
      const name = tileName(level, col, row);
      if (name !== '') names.set(name, tile);
    }
  return names;
}

/**
 * Which tile of a level a file below the set's folder is, by its name; undefined for other files. Names are read instead of
 * listed beforehand: of half a million tiles that would hold up everything else for a second.
 */
export function tileReader(level: Level): (name: string) => number | undefined {
  if (level.fields) {
    const names = tileNames(level);
    return name => names.get(name);
  }
  const placeOf = placeReader(level.pattern);
  return name => {
    const place = placeOf(name);
    if (!place) return undefined;
    const [col, row] = place;
    // Also settles the group, and a place that stands in the pattern twice.
    if (!(col < level.cols && row < level.rows) || tileName(level, col, row) !== name) return undefined;
    return row * level.cols + col;
  };
}

/** Column and row by a name or a part of one, inside the level's grid or not; undefined where the pattern does not fit. */
export function placeReader(pattern: string): (name: string) => readonly [col: number, row: number] | undefined {
  const places: string[] = [];
  const source = pattern.split(/\{(col|row|group)\}/).map((part, i) => {
    if (i % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    places.push(part);
    return '(0|[1-9]\\d{0,8})';
  });
  const expression = new RegExp(`^${source.join('')}$`);
  const [colAt, rowAt] = [places.indexOf('col') + 1, places.indexOf('row') + 1];
  return name => {
    const match = expression.exec(name);
    return match ? [Number(match[colAt]), Number(match[rowAt])] : undefined;
  };
}

/** The folders below the set's that hold a level's tiles, '' for the set's own. */
export function tileFolders(level: Level): string[] {
  if (level.fields) return [...new Set([...tileNames(level).keys()].map(folderOf))];
  const { pattern, cols, rows, before } = level;
  const folder = folderOf(pattern);
  const byCol = folder.includes('{col}') ? cols : 1;
  const byRow = folder.includes('{row}') ? rows : 1;
  if (folder.includes('{group}')) {
    const [first, last] = [Math.floor(before / GROUP), Math.floor((before + cols * rows - 1) / GROUP)];
    return Array.from({ length: last - first + 1 }, (_, i) => folder.replaceAll('{group}', String(first + i)));
  }
  return Array.from({ length: byCol * byRow }, (_, i) =>
    folder.replaceAll('{col}', String(i % byCol)).replaceAll('{row}', String(Math.floor(i / byCol))),
  );
}

const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')));

/**
 * The tile whose image shows another one's pixels as its overlap: of a last column or row that is no wider than the overlap, the tile
 * before it. Some writers leave such tiles out (libvips), so that their pixels are taken from there. Undefined for all others.
 */
export function shownBy(
  { cols, tileWidth, tileHeight, width, height, overlap, fields }: Level,
  tile: number,
): number | undefined {
  if (fields || overlap === 0) return undefined;
  const col = tile % cols;
  const row = (tile - col) / cols;
  const isThin = (index: number, size: number, whole: number) => index > 0 && whole - index * size <= overlap;
  const [left, up] = [isThin(col, tileWidth, width), isThin(row, tileHeight, height)];
  return left || up ? (row - (up ? 1 : 0)) * cols + col - (left ? 1 : 0) : undefined;
}

/** The tiles that a tile's image shows as its overlap. */
export function alsoShown(level: Level, tile: number): number[] {
  const { cols, rows } = level;
  const [right, below] = [tile % cols < cols - 1, tile + cols < cols * rows];
  const around = [
    ...(right ? [tile + 1] : []),
    ...(below ? [tile + cols] : []),
    ...(right && below ? [tile + cols + 1] : []),
  ];
  return around.filter(other => shownBy(level, other) === tile);
}

/** Tiles of a level that will be there when the slide is complete. */
export function expectedTiles({ cols, rows, tiles, fields }: Level): number {
  if (fields) return fields.names.reduce((count, name) => count + (name === '' ? 0 : 1), 0);
  return Math.min(tiles ?? cols * rows, cols * rows);
}

/** Tiles of a level that nobody will write: cells of a grid where the microscope did not go. */
export function blankTiles({ cols, rows, fields }: Level): number[] {
  if (!fields) return [];
  return Array.from({ length: cols * rows }, (_, tile) => tile).filter(tile => fields.names[tile] === '');
}

/** No codec makes a tile much larger than its pixels, of four samples of 32 bits each; a larger file is no tile. */
export function mostBytes({ tileWidth, tileHeight, overlap, fields }: Level): number {
  const width = fields?.width ?? tileWidth + 2 * overlap;
  const height = fields?.height ?? tileHeight + 2 * overlap;
  return width * height * 16 + 65_536;
}

/** Where a tile's own pixels lie in its image. */
export interface TileCut {
  readonly left: number;
  readonly top: number;
  /** Own pixels. */
  readonly across: number;
  readonly down: number;
  /** Pixels of the whole image. */
  readonly width: number;
  readonly height: number;
}

export function tileCut(level: Level, col: number, row: number): TileCut {
  const { cols, tileWidth, tileHeight, width, height, overlap, whole, fields } = level;
  if (fields) {
    const tile = row * cols + col;
    const [left, top] = [fields.lefts[tile]!, fields.tops[tile]!];
    return { left, top, across: tileWidth, down: tileHeight, width: fields.width, height: fields.height };
  }
  const [left, across, storedAcross] = tileSpan(col, tileWidth, width, overlap, whole);
  const [top, down, storedDown] = tileSpan(row, tileHeight, height, overlap, whole);
  return { left, top, across, down, width: storedAcross, height: storedDown };
}

/**
 * Columns or rows of a stored tile: where its own pixels begin in it, and how many it has.
 *
 * @returns [repeated pixels in front, own pixels, stored pixels]
 */
export function tileSpan(
  index: number,
  tileSize: number,
  levelSize: number,
  overlap: number,
  whole: boolean,
): readonly [before: number, own: number, stored: number] {
  if (whole) return [0, tileSize, tileSize];
  const own = Math.min(tileSize, levelSize - index * tileSize);
  const before = index > 0 ? overlap : 0;
  const after = Math.min(overlap, levelSize - index * tileSize - own);
  return [before, own, before + own + after];
}
