import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import type { SlideNote } from '../note.js';
import { readRegularFile, statFileBelow } from '../regular-file.js';
import { unreadable } from '../tiff/probe.js';
import { COORDINATES } from '../tile-folder/read-tile-set.js';
import type { TileSet } from '../tile-folder/tile-set.js';
import type { FieldCells } from './cells.js';
import { type Coordinates, type FieldRow, parseCoordinates } from './coordinates.js';
import { type FieldNames, fieldName, fieldSize, findFieldNames } from './field-images.js';
import { gridFields, type PlacedField } from './grid.js';
import { PARAMETERS, readParameters, type ScanParameters } from './parameters.js';

const MAX_BYTES = 64 * 2 ** 20;

/** A scan field by field, as its coordinates.csv has it. */
export interface FieldScan extends Coordinates {
  readonly csv: string;
  /** What belongs to the scan: nothing below is a slide of its own. */
  readonly claims: string;
  /** Where the images lie; undefined before the scanner has made it. */
  readonly folder: string | undefined;
  readonly parameters: ScanParameters | undefined;
  /** One slide each, in their order. */
  readonly regions: readonly string[];
  /** Folders in which `.done` says that all images are written. */
  readonly doneIn: readonly string[];
  /** Nobody will add a row: `.done` stands there, all announced fields are listed, or the table is ahead of the images. */
  readonly whole: boolean;
  /** All images are written: `.done` stands in one of doneIn. */
  readonly finished: boolean;
}

/**
 * Reads a coordinates.csv and what stands beside it. Undefined for a table about something else, and for the table of a time
 * point when a plan above it says the same (planAbove).
 *
 * @param over takes a last line without its end as well.
 * @throws SLIDE_UNREADABLE, FILE_NOT_FOUND
 */
export function readFieldScan(csv: string, over: boolean): FieldScan | undefined {
  const folder = dirname(csv);
  if (planAbove(csv)) return undefined;
  const file = readRegularFile(csv, MAX_BYTES);
  if (!file) throw new StromaflowError('FILE_NOT_FOUND', `${csv}: no table of coordinates`);
  const isTimePoint = existsSync(join(dirname(folder), PARAMETERS));
  const done = existsSync(join(folder, '.done'));
  const table = parseCoordinates(csv, file.bytes.toString('utf8'), over || done);
  if (!table) return undefined;
  const parameters = readParameters(folder) ?? (isTimePoint ? readParameters(dirname(folder)) : undefined);
  if (table.kind === 'plan') {
    // Of several time points each has a table of its own. On a share the parameters may turn up after the plan.
    if (parameters && parameters.times > 1) return undefined;
    const images = timePoints(folder)[0];
    const whole = parameters !== undefined && (done || images !== undefined);
    const place = { csv, claims: folder, folder: images, doneIn: [folder] };
    return { ...table, ...place, parameters, regions: regionsOf(table), whole, finished: done };
  }
  const counted = parameters?.fields !== undefined && everyRegionHas(table, parameters.fields);
  // Squid marks a time point before the last of its images is on disk; the marker of the whole comes after.
  const doneIn = isTimePoint ? [dirname(folder)] : [folder];
  const announced = table.kind === 'files' && isAhead(table, folder);
  const finished = doneIn.some(at => existsSync(join(at, '.done')));
  const whole = done || counted || announced || finished;
  return { ...table, csv, claims: folder, folder, parameters, regions: regionsOf(table), doneIn, whole, finished };
}

/** The plan that a time point's table repeats: fields as they were reached, and not known before the end. */
export function planAbove(csv: string): string | undefined {
  const above = join(dirname(dirname(csv)), COORDINATES);
  if (!/^\d+$/.test(basename(dirname(csv))) || !existsSync(above)) return undefined;
  return readFieldScan(above, true)?.kind === 'plan' ? above : undefined;
}

/** Folders of the times a whole was scanned, in order. */
export function timePoints(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  const names = entries.filter(entry => entry.isDirectory() && /^\d{1,9}$/.test(entry.name)).map(({ name }) => name);
  return names.sort((a, b) => Number(a) - Number(b)).map(name => join(folder, name));
}

/**
 * One region as a tile set: its fields in one focal plane, the middle one (of an even number the lower), as a grid. Undefined
 * until an image tells their size.
 *
 * @param over the scan is: nothing is waited for.
 * @throws SLIDE_UNSUPPORTED for fields off a grid, with gaps, or not RGB; SLIDE_NO_MPP where places are in mm.
 */
export async function readFieldSet(
  scan: FieldScan,
  region: string,
  given: number | undefined,
  over: boolean,
): Promise<TileSet | undefined> {
  const { csv, folder, parameters, unit } = scan;
  const rows = scan.rows.filter(row => row.region === region);
  if (rows.length === 0) throw unreadable(csv, region === '' ? 'has no rows' : `has no region "${region}"`);
  const mpp = given ?? parameters?.mpp;
  if (mpp === undefined && unit === 'mm')
    throw new StromaflowError('SLIDE_NO_MPP', `${csv}: neither it nor "${PARAMETERS}" says how many µm a pixel spans`);
  if (folder === undefined) return undefined;
  const { plane, planes } = planeOf(rows, parameters);
  const found = findNames(rows, region, folder, plane, over);
  const named = found && nameFields(rows, region, plane, found.names);
  const sample = named?.find(({ name }) => statFileBelow(folder, name));
  if (!named || !sample) return undefined;
  const scale = unit === 'mm' ? 1000 / mpp! : 1;
  const placed = named.map(({ name, x, y }) => ({ name, x: x * scale, y: y * scale }));
  const { cells, ...grid } = gridFields(csv, placed, await fieldSize(join(folder, sample.name)));
  const { cols, rows: lines, tileWidth, tileHeight } = grid;
  const level = { ...grid, width: cols * tileWidth, height: lines * tileHeight, downsample: 1 };
  const plain = { pattern: '', before: 0, overlap: 0, whole: true, colour: 'rgb', tiles: undefined } as const;
  return {
    format: 'fields of view',
    manifest: csv,
    path: scan.regions.length > 1 ? `${csv}#${region}` : csv,
    folder,
    doneIn: scan.doneIn,
    mpp,
    levels: [{ ...level, ...plain, fields: cells }],
    notes: notesOf(planes, plane, found.others, cells),
  };
}

/** The middle one, of an even number the lower. */
function planeOf(rows: readonly FieldRow[], parameters: ScanParameters | undefined): { plane: number; planes: number } {
  const planes = rows.reduce((most, { z = 0 }) => Math.max(most, z + 1), parameters?.planes ?? 1);
  return { plane: Math.floor((planes - 1) / 2), planes };
}

/** How the images are named that the rows do not name; undefined while that is not known. */
function findNames(
  rows: readonly FieldRow[],
  region: string,
  folder: string,
  plane: number,
  over: boolean,
): { names: FieldNames | undefined; others: number } | undefined {
  if (rows[0]!.file !== undefined) return { names: undefined, others: 0 };
  return findFieldNames(folder, region, plane, over);
}

/** The fields of one focal plane, by their images. */
function nameFields(
  rows: readonly FieldRow[],
  region: string,
  plane: number,
  names: FieldNames | undefined,
): PlacedField[] {
  const here = rows.filter(({ z }) => z === undefined || z === plane);
  return here.map(({ file, fov, x, y }) => ({ name: names ? fieldName(region, fov, plane, names) : file!, x, y }));
}

function notesOf(planes: number, plane: number, channels: number, { names }: FieldCells): SlideNote[] {
  const notes: SlideNote[] = [];
  if (planes > 1)
    notes.push({
      code: 'plane-left-out',
      message: `of ${planes} focal planes the middle one is read (z ${plane}), ${planes - 1} left out`,
    });
  if (channels > 0)
    notes.push({
      code: 'image-left-out',
      message: `of ${channels + 1} images a field the one that is called RGB is read, ${channels} left out`,
    });
  const unvisited = names.reduce((count, name) => count + (name === '' ? 1 : 0), 0);
  if (unvisited > 0)
    notes.push({ code: 'sparse', message: `${unvisited} of ${names.length} places of the grid were not visited` });
  return notes;
}

/**
 * Files named in the last rows and not there that make a table one that was written first, not one that a row is added to with
 * each image.
 */
const AHEAD = 4;
const LAST_ROWS = 64;

function isAhead({ rows }: Coordinates, folder: string): boolean {
  let ahead = 0;
  for (const { file } of rows.slice(-LAST_ROWS)) if (!statFileBelow(folder, file!) && ++ahead >= AHEAD) return true;
  return false;
}

const regionsOf = ({ rows }: Coordinates): string[] => [...new Set(rows.map(({ region }) => region))];

function everyRegionHas({ rows }: Coordinates, fields: number): boolean {
  const seen = new Map<string, Set<number>>();
  for (const { region, fov } of rows) {
    const fovs = seen.get(region);
    if (fovs) fovs.add(fov);
    else seen.set(region, new Set([fov]));
  }
  return seen.size > 0 && [...seen.values()].every(fovs => fovs.size >= fields);
}
