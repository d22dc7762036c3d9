import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SlideNote } from '../note.js';
import { gridOf, MAX_SIDE, MAX_TILE, unreadableManifest, wholeNumber } from './manifest-fields.js';
import type { TileSet, TileSetLevel } from './tile-set.js';

/** Level n of a DeepZoom image is 2^n pixels wide or less; the finest has the whole size (schemas.microsoft.com/deepzoom/2008). */
export function readDeepZoom(manifest: string, text: string, folder: string): TileSet {
  const attribute = attributesOf(manifest, text, '</Image>');
  const [width, height] = [attribute('Width', MAX_SIDE), attribute('Height', MAX_SIDE)];
  const side = attribute('TileSize', MAX_TILE);
  const overlap = wholeNumber(manifest, 'Overlap', attributeText(text, 'Overlap') ?? '0', side, 0);
  const format = attributeText(text, 'Format') ?? 'jpg';
  if (!/^[a-z0-9]{1,8}$/i.test(format)) throw unreadableManifest(manifest, 'its tiles have no format');
  const finest = Math.ceil(Math.log2(Math.max(width, height)));
  const extension = extensionIn(folder, finest, format);
  const levels: Omit<TileSetLevel, 'mpp'>[] = [];
  for (let down = 0; down <= finest; down++) {
    const scale = 2 ** down;
    const size = gridOf(Math.ceil(width / scale), Math.ceil(height / scale), square(side), scale);
    levels.push({ ...size, ...PLAIN, pattern: `${finest - down}/{col}_{row}.${extension}`, overlap });
    if (size.cols * size.rows === 1) break;
  }
  return { format: 'DeepZoom', manifest, path: manifest, folder, doneIn: [folder], mpp: undefined, levels };
}

/** How the tiles end: as the description says, or as the first one there is does, where a writer says it otherwise. */
function extensionIn(folder: string, finest: number, format: string): string {
  const lower = format.toLowerCase();
  const alike = lower === 'jpg' || lower === 'jpeg' ? ['jpg', 'jpeg'] : [lower];
  const endings = [format, ...alike, ...alike.map(name => name.toUpperCase())];
  const levels = [finest, 0];
  return endings.find(ending => levels.some(level => existsSync(join(folder, `${level}`, `0_0.${ending}`)))) ?? format;
}

/**
 * Tier 0 fits one tile; tiles are numbered through all tiers, 256 to a folder. Some writers round a tier's size down, as Zoomify's
 * own did, others up, which the number of tiles shows where it matters.
 */
export function readZoomify(manifest: string, text: string): TileSet {
  const attribute = attributesOf(manifest, text, '/>');
  const side = attribute('TILESIZE', MAX_TILE);
  const [width, height] = [attribute('WIDTH', MAX_SIDE), attribute('HEIGHT', MAX_SIDE)];
  const [down, up] = [Math.floor, Math.ceil].map(round => tiersOf(width, height, side, round)) as [Tier[], Tier[]];
  const stated = Number(attributeText(text, 'NUMTILES'));
  const grids = tilesOf(down) !== stated && tilesOf(up) === stated ? up : down;
  const levels = grids.map((grid, down) => ({
    ...grid,
    ...PLAIN,
    pattern: `TileGroup{group}/${grids.length - 1 - down}-{col}-{row}.jpg`,
    before: grids.slice(down + 1).reduce((sum, { cols, rows }) => sum + cols * rows, 0),
  }));
  const folder = dirname(manifest);
  const notes: SlideNote[] =
    stated > 0 && tilesOf(grids) !== stated
      ? [{ code: 'assumed', message: `says that it has ${stated} tiles; its sizes make ${tilesOf(grids)}` }]
      : [];
  return {
    ...(notes.length > 0 ? { notes } : {}),
    format: 'Zoomify',
    manifest,
    path: manifest,
    folder,
    doneIn: [folder],
    mpp: undefined,
    levels,
  };
}

type Tier = ReturnType<typeof gridOf>;

function tiersOf(width: number, height: number, side: number, round: (size: number) => number): Tier[] {
  const tiers = [gridOf(width, height, square(side), 1)];
  for (let last = tiers[0]!; last.width > side || last.height > side; last = tiers.at(-1)!) {
    const half = (size: number) => Math.max(1, round(size / 2));
    tiers.push(gridOf(half(last.width), half(last.height), square(side), 2 ** tiers.length));
  }
  return tiers;
}

const tilesOf = (tiers: readonly Tier[]): number => tiers.reduce((sum, { cols, rows }) => sum + cols * rows, 0);

const PLAIN = { before: 0, overlap: 0, whole: false, colour: 'rgb', tiles: undefined } as const;

const square = (side: number) => ({ tileWidth: side, tileHeight: side });

/** @param end what a file that was written completely contains. */
function attributesOf(manifest: string, text: string, end: string): (name: string, most: number) => number {
  if (!text.includes(end)) throw unreadableManifest(manifest, 'is not (yet) whole');
  return (name, most) => wholeNumber(manifest, name, attributeText(text, name), most);
}

const attributeText = (text: string, name: string): string | undefined =>
  new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`).exec(text)?.[1];
