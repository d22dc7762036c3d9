import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { planAbove, readFieldScan, readFieldSet, timePoints } from '../fields/field-scan.js';
import { PARAMETERS } from '../fields/parameters.js';
import { indexesIn, NDTIFF_INDEX } from '../ndtiff/layout.js';
import { readNdTiffFacts } from '../ndtiff/whole-data-set.js';
import type { SlideFacts } from '../slide-facts.js';
import { unreadable } from '../tiff/probe.js';
import { COORDINATES, folderOf, isDeepZoom, isTileManifest, MANIFEST, readTileSet, ZOOMIFY } from './read-tile-set.js';
import { tileFolderFacts } from './tile-folder-facts.js';

/** What is looked for in a folder, in this order. */
const inFolder = (folder: string): string[] => [
  ...indexesIn(folder),
  ...[MANIFEST, ZOOMIFY, COORDINATES].map(name => join(folder, name)),
];
const REGION = /^(.*coordinates\.csv)#([^/]+)$/;

/** A table of fields and the region of it that a path means. */
export function splitRegion(path: string): { readonly manifest: string; readonly region: string | undefined } {
  const [, manifest, region] = REGION.exec(path) ?? [];
  return { manifest: manifest ?? path, region };
}

/**
 * The file that describes the tiles at a path: the path itself, or in the folder that it is. Undefined for other slides.
 *
 * @throws SLIDE_UNREADABLE for a folder with several of one kind.
 */
export function findTiles(path: string): string | undefined {
  const { manifest, region } = splitRegion(path);
  if (region !== undefined || isTileManifest(manifest)) {
    const plan = basename(manifest) === COORDINATES && existsSync(manifest) ? planAbove(manifest) : undefined;
    if (plan === undefined) return path;
    return region === undefined ? plan : `${plan}#${region}`;
  }
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const beside = `${resolve(path).replace(/_files$/, '')}.dzi`;
  if (path.replace(/\/+$/, '').endsWith('_files') && existsSync(beside)) return beside;
  for (const found of inFolder(path)) if (existsSync(found) && isAboutTiles(found)) return planOr(found);
  const names = readdirSync(path).filter(isDeepZoom);
  if (names.length > 1)
    throw unreadable(path, `holds ${names.length} DeepZoom slides`, `name one, such as ${names[0]}`);
  if (names.length === 1) return join(path, names[0]!);
  return tablesBelow(path)[0];
}

const planOr = (found: string): string => (basename(found) === COORDINATES ? (planAbove(found) ?? found) : found);

function isAboutTiles(found: string): boolean {
  const name = basename(found);
  if (name === COORDINATES) return readFieldScan(found, true) !== undefined || planAbove(found) !== undefined;
  return name !== MANIFEST || readTileSet(found) !== undefined;
}

/** The tables of the time points of an acquisition without a plan. */
function tablesBelow(folder: string): string[] {
  if (!existsSync(join(folder, PARAMETERS))) return [];
  return timePoints(folder)
    .map(time => join(time, COORDINATES))
    .filter(table => existsSync(table));
}

/**
 * The slides at a path, each a path that openSlide takes: the regions of a table of fields and the time points of an acquisition
 * are slides of their own; everything else is one.
 */
export function slidesAt(path: string): string[] {
  const found = findTiles(path);
  if (found === undefined || basename(found) !== COORDINATES) return [path];
  const below = statSync(path).isDirectory() && dirname(found) !== resolve(path) ? tablesBelow(path) : [];
  const tables = below.includes(found) ? below : [found];
  return tables.flatMap(table => {
    const { regions = [] } = readFieldScan(table, true) ?? {};
    return regions.length > 1 ? regions.map(region => `${table}#${region}`) : [table];
  });
}

/** A slide's name before it is made safe: the folder's that holds its tiles, and its region's. */
export function tilesName(path: string): string {
  const { manifest, region } = splitRegion(path);
  if (isDeepZoom(manifest)) return basename(manifest).slice(0, -4);
  const folder = folderOf(resolve(manifest));
  // A time point is called by a number: the acquisition's name stands above it.
  const name = /^\d+$/.test(basename(folder)) ? `${basename(dirname(folder))}--${basename(folder)}` : basename(folder);
  return region === undefined ? name : `${name}--${region}`;
}

/** What people call a slide: its file with the extension; of tiles in a folder the folder, as tilesName says. */
export function slideFileName(path: string): string {
  const { manifest } = splitRegion(path);
  return isTileManifest(manifest) && !isDeepZoom(manifest) ? tilesName(path) : basename(path);
}

/**
 * What the description that findTiles found says of the slide.
 *
 * @throws SLIDE_UNREADABLE, FILE_NOT_FOUND, SLIDE_UNSUPPORTED, SLIDE_NO_MPP
 */
export async function readTilesFacts(found: string, mpp: number | undefined): Promise<SlideFacts> {
  const { manifest, region } = splitRegion(found);
  const name = basename(manifest);
  if (name === NDTIFF_INDEX) return readNdTiffFacts(manifest);
  if (name !== COORDINATES) {
    const set = readTileSet(manifest);
    if (!set) throw unreadable(manifest, 'is not a description of tiles', 'docs/scanners.md says what it must have');
    return tileFolderFacts(set);
  }
  const scan = readFieldScan(manifest, true);
  if (!scan) throw unreadable(manifest, 'is no table of fields', FIELDS_FIX);
  if (region === undefined && scan.regions.length > 1)
    throw unreadable(
      manifest,
      `has ${scan.regions.length} regions`,
      `name one, such as ${manifest}#${scan.regions[0]}`,
    );
  const set = await readFieldSet(scan, region ?? scan.regions[0] ?? '', mpp, true);
  if (!set) throw unreadable(manifest, 'has no images of its fields beside it', FIELDS_FIX);
  return tileFolderFacts(set);
}

const FIELDS_FIX =
  'its columns must be file, x, y, or Squid’s region, fov, z_level, x (mm), y (mm), with the images beside it; see docs/scanners.md';
