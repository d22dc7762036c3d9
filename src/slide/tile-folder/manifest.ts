import { dirname } from 'node:path';
import type { SlideNote } from '../note.js';
import { type FittedLevel, fitLevel, type LevelSize } from '../pyramid.js';
import type { AxisSpacing } from '../slide.js';
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
  const mpp = spacingOf(given[0]!['mpp']) ?? spacingOf(fields['mpp']);
  const levels: Level[] = [];
  const notes: SlideNote[] = [];
  for (const level of given) {
    const read = readLevel(manifest, level, levels, colour, mpp);
    if (typeof read === 'string') notes.push({ code: 'level-left-out', message: read });
    else levels.push(read);
  }
  const folder = dirname(manifest);
  return {
    format: 'tile folder',
    manifest,
    path: manifest,
    folder,
    doneIn: [folder],
    mpp: mpp && (mpp.x === mpp.y ? mpp.x : mpp),
    levels,
    ...(notes.length > 0 ? { notes } : {}),
  };
}

const isLevels = (value: unknown): value is Record<string, unknown>[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(level => typeof level === 'object' && level !== null && 'pattern' in level);

/** One spacing for both axes, or one each: µm/px. */
function spacingOf(value: unknown): AxisSpacing | undefined {
  const both = positive(value);
  if (both !== undefined) return { x: both, y: both };
  if (typeof value !== 'object' || value === null) return undefined;
  const [x, y] = [positive((value as { x?: unknown }).x), positive((value as { y?: unknown }).y)];
  return x !== undefined && y !== undefined ? { x, y } : undefined;
}

/**
 * @param finer the levels before this one.
 * @param finest spacing of the finest level.
 * @returns why it is left out, where it is none of the slide's levels.
 */
function readLevel(
  manifest: string,
  fields: Record<string, unknown>,
  finer: readonly Level[],
  colour: TileColour,
  finest: AxisSpacing | undefined,
): Level | string {
  const number = (name: string, most: number) => wholeNumber(manifest, name, fields[name], most);
  const pattern = readPattern(manifest, fields['pattern']);
  if (finer.some(other => other.pattern === pattern))
    throw unreadableManifest(manifest, 'two of its levels have one pattern');
  const tile = { tileWidth: number('tileWidth', MAX_TILE), tileHeight: number('tileHeight', MAX_TILE) };
  const size = { width: number('width', MAX_SIDE), height: number('height', MAX_SIDE), ...tile };
  const fitted = placeLevel(manifest, fields, size, finer, finest);
  if (!fitted)
    return `a level of ${size.width} × ${size.height} pixels is not read: nothing says how much coarser it is`;
  const { width, height, downsample } = fitted;
  const { tiles } = fields;
  return {
    ...gridOf(width, height, tile, downsample),
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

/**
 * How much coarser a level is than the finest, and how much of it is the slide: by its `downsample`, else by its `mpp`, else by its
 * size (fitLevel). Undefined where none of them tells.
 */
function placeLevel(
  manifest: string,
  fields: Record<string, unknown>,
  size: LevelSize,
  [first, ...others]: readonly Level[],
  finest: AxisSpacing | undefined,
): FittedLevel | undefined {
  if (!first) return { width: size.width, height: size.height, downsample: 1 };
  const stated = positive(fields['downsample']);
  const fitted =
    stated === undefined
      ? fitLevel({ ...first, spacing: finest }, { ...size, spacing: spacingOf(fields['mpp']) })
      : {
          width: Math.min(size.width, Math.ceil(first.width / stated)),
          height: Math.min(size.height, Math.ceil(first.height / stated)),
          downsample: stated,
        };
  const { width, height } = size;
  const [across, down] = [first.width / width, first.height / height];
  const least = (others.at(-1) ?? first).downsample;
  const downsample = fitted?.downsample ?? (across + down) / 2;
  if (!(downsample > least)) throw unreadableManifest(manifest, 'its levels are not listed finest first');
  if (fitted) return fitted;
  // Rounding moves a side by less than a pixel.
  if (Math.abs(across - down) / downsample > SHAPE_TOLERANCE + 1 / Math.min(width, height))
    throw unreadableManifest(manifest, `a level of ${width} × ${height} pixels has another shape than the finest`);
  return undefined;
}
