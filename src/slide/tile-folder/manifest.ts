import { dirname } from 'node:path';
import { gridOf, MAX_SIDE, MAX_TILE, parseJson, positive, unreadableManifest, wholeNumber } from './manifest-fields.js';
import type { TileColour, TileSet, TileSetLevel } from './tile-set.js';

type Level = Omit<TileSetLevel, 'mpp'>;

/** More levels than a slide of 2^24 pixels has halves are damage. */
const MAX_LEVELS = 24;
const MAX_PATTERN = 255;
/** Two levels of one slide have the same shape, but for rounding to whole pixels. */
const SHAPE_TOLERANCE = 0.1;

/**
 * Reads manifest.json (docs/scanners.md): one level, or `levels`, finest first. Undefined for a file about something else.
 *
 * @throws SLIDE_UNREADABLE while it is not whole, and for what cannot be.
 */
export function readManifest(manifest: string, text: string): TileSet | undefined {
  const fields = parseJson(manifest, text);
  const { levels: several } = fields;
  if (!('pattern' in fields) && !isLevels(several)) return undefined;
  const given = isLevels(several) ? several : [fields];
  if (given.length > MAX_LEVELS) throw unreadableManifest(manifest, `lists ${given.length} levels`);
  const colour: TileColour = fields['colour'] === 'ycbcr' ? 'ycbcr' : 'rgb';
  const levels: Level[] = [];
  for (const level of given) levels.push(readLevel(manifest, level, levels, colour));
  const folder = dirname(manifest);
  return {
    format: 'tile folder',
    manifest,
    path: manifest,
    folder,
    doneIn: [folder],
    mpp: positive(fields['mpp']),
    levels,
  };
}

const isLevels = (value: unknown): value is Record<string, unknown>[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(level => typeof level === 'object' && level !== null && 'pattern' in level);

/** @param finer the levels before this one. */
function readLevel(
  manifest: string,
  fields: Record<string, unknown>,
  finer: readonly Level[],
  colour: TileColour,
): Level {
  const number = (name: string, most: number) => wholeNumber(manifest, name, fields[name], most);
  const pattern = readPattern(manifest, fields['pattern']);
  if (finer.some(other => other.pattern === pattern))
    throw unreadableManifest(manifest, 'two of its levels have one pattern');
  const [width, height] = [number('width', MAX_SIDE), number('height', MAX_SIDE)];
  const tile = { tileWidth: number('tileWidth', MAX_TILE), tileHeight: number('tileHeight', MAX_TILE) };
  const { tiles } = fields;
  return {
    ...gridOf(width, height, tile, downsampleOf(manifest, fields['downsample'], width, height, finer)),
    pattern,
    before: 0,
    overlap: 0,
    whole: true,
    colour: fields['colour'] === 'ycbcr' ? 'ycbcr' : fields['colour'] === 'rgb' ? 'rgb' : colour,
    tiles: typeof tiles === 'number' && Number.isInteger(tiles) && tiles > 0 ? tiles : undefined,
  };
}

/** Tiles lie in the manifest's own folder, or below it. */
function readPattern(manifest: string, pattern: unknown): string {
  if (
    typeof pattern !== 'string' ||
    pattern.length > MAX_PATTERN ||
    !/^[\w.{}-]+(\/[\w.{}-]+)*$/.test(pattern) ||
    /(^|\/)\.\.?(\/|$)/.test(pattern)
  )
    throw unreadableManifest(manifest, 'its pattern is no name of a file below it');
  if (!pattern.includes('{col}') || !pattern.includes('{row}'))
    throw unreadableManifest(manifest, 'its pattern lacks {col} or {row}');
  if (/\}\{|\{group\}/.test(pattern)) throw unreadableManifest(manifest, 'its pattern does not tell columns from rows');
  const folder = pattern.slice(0, Math.max(0, pattern.lastIndexOf('/')));
  if (folder.includes('{col}') && folder.includes('{row}'))
    throw unreadableManifest(manifest, 'its pattern has a folder a tile');
  return pattern;
}

/** The mean of both axes' ratios, as of every other format, unless the manifest knows better: padded levels lie. */
function downsampleOf(
  manifest: string,
  given: unknown,
  width: number,
  height: number,
  finer: readonly Level[],
): number {
  const [finest] = finer;
  if (!finest) return 1;
  const [across, down] = [finest.width / width, finest.height / height];
  const stated = positive(given);
  const downsample = stated ?? (across + down) / 2;
  if (!(downsample > finer.at(-1)!.downsample))
    throw unreadableManifest(manifest, 'its levels are not listed finest first');
  // Rounding moves a side by less than a pixel.
  const skew = Math.abs(across - down) / downsample;
  if (stated === undefined && skew > SHAPE_TOLERANCE + 1 / Math.min(width, height))
    throw unreadableManifest(manifest, `a level of ${width} × ${height} pixels has another shape than the finest`);
  return downsample;
}
