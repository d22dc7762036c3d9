import type { LevelGeometry } from '../../slide/slide.js';

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
}

/** A slide as a folder of tile images. */
export interface TileSet {
  /** For people. */
  readonly format: string;
  /** The file that describes it. */
  readonly manifest: string;
  /** Where the patterns begin. */
  readonly folder: string;
  readonly mpp: number | undefined;
  readonly levels: readonly Omit<TileSetLevel, 'mpp'>[];
  /** What the samples of JPEG 2000 tiles are. */
  readonly colour: 'ycbcr' | 'rgb';
  /** Tiles of the finest level that the scanner means to write, where it says so. */
  readonly tiles: number | undefined;
}

export const TILE_FOLDER_KIND = 'tile-folder';

/** Description of a tile set for the reader threads. A type, so that it fits TileSourceDescription. */
export type TileFolderDescription = {
  readonly kind: typeof TILE_FOLDER_KIND;
  readonly path: string;
  readonly folder: string;
  readonly colour: 'ycbcr' | 'rgb';
  readonly levels: readonly TileSetLevel[];
};

/** Tiles a Zoomify folder holds. */
const GROUP = 256;

/** Name of a tile below the set's folder. */
export function tileName({ pattern, cols, before }: Omit<TileSetLevel, 'mpp'>, col: number, row: number): string {
  return pattern
    .replaceAll('{col}', String(col))
    .replaceAll('{row}', String(row))
    .replaceAll('{group}', String(Math.floor((before + row * cols + col) / GROUP)));
}

/**
 * Which tile of a level a file below the set's folder is, by its name; undefined for other files. Names are read instead of
 * listed beforehand: of half a million tiles that would hold up everything else for a second.
 */
export function tileReader(level: Omit<TileSetLevel, 'mpp'>): (name: string) => number | undefined {
  const places: string[] = [];
  const source = level.pattern.split(/\{(col|row|group)\}/).map((part, i) => {
    if (i % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    places.push(part);
    return '(0|[1-9]\\d{0,8})';
  });
  const pattern = new RegExp(`^${source.join('')}$`);
  const [colAt, rowAt] = [places.indexOf('col') + 1, places.indexOf('row') + 1];
  return name => {
    const match = pattern.exec(name);
    if (!match) return undefined;
    const [col, row] = [Number(match[colAt]), Number(match[rowAt])];
    // Also settles the group, and a place that stands in the pattern twice.
    if (!(col < level.cols && row < level.rows) || tileName(level, col, row) !== name) return undefined;
    return row * level.cols + col;
  };
}

/** The folders below the set's that hold a level's tiles, '' for the set's own. */
export function tileFolders(level: Omit<TileSetLevel, 'mpp'>): string[] {
  const { pattern, cols, rows, before } = level;
  const folder = pattern.slice(0, Math.max(0, pattern.lastIndexOf('/')));
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

/** No codec makes a tile much larger than its pixels; a larger file is no tile. */
export const mostBytes = ({ tileWidth, tileHeight, overlap }: Omit<TileSetLevel, 'mpp'>): number =>
  (tileWidth + 2 * overlap) * (tileHeight + 2 * overlap) * 8 + 65_536;

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
