import type { StromaflowError } from '../../errors.js';
import { micrometresIn } from '../length-unit.js';
import type { AxisSpacing } from '../slide.js';
import {
  NUMBER_TYPES,
  type ProbedDirectory,
  type ProbedEntry,
  probeDirectory,
  readNumbers,
  type TiffProbe,
  unreadable,
} from './probe.js';
import { TiffValues } from './values.js';

/** One image of a TIFF: the facts of its directory, checked, without its tile arrays. */
export interface TiffPage {
  /** Place in the main chain; SubIFDs have the place of their parent. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
  /** Stored tile size; a strip is a tile as wide as the image. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly tiled: boolean;
  readonly compression: number;
  readonly photometric: number;
  readonly bitsPerSample: readonly number[];
  readonly samplesPerPixel: number;
  /** What samples beyond the colours mean: 0 nobody says, 1 and 2 transparency, colours multiplied by it or not. */
  readonly extraSamples: readonly number[];
  readonly planarConfiguration: number;
  readonly predictor: number;
  readonly sampleFormat: number;
  /** Bit 0: reduced-resolution copy; Aperio's 9 is a macro. */
  readonly subfileType: number;
  readonly description: string;
  readonly jpegTables: Uint8Array | undefined;
  /** Spacing by the resolution tags in µm/px, when they are given in a physical unit. */
  readonly spacing: AxisSpacing | undefined;
  readonly hasIcc: boolean;
  /** Written by a scanner whose files break TIFF's rules, so that reading them as TIFF would give wrong pixels. */
  readonly vendor: 'Hamamatsu NDPI' | 'Ventana BIF' | 'Leica SCN' | undefined;
  /** Why it cannot be an image of the slide: what is wrong with its directory. */
  readonly fault: StromaflowError | undefined;
  readonly directory: ProbedDirectory;
  readonly subDirectories: readonly TiffPage[];
  /** SubIFDs that cannot be read. */
  readonly lostSubDirectories: number;
}

const TAG = {
  stripOffsets: 273,
  stripByteCounts: 279,
  tileOffsets: 324,
  tileByteCounts: 325,
  tileWidth: 322,
  tileHeight: 323,
  subIfds: 330,
} as const;

/** SubIFDs of one image that are looked at; pyramids have about ten. */
const MAX_SUB_DIRECTORIES = 64;

/** Philips writes label and macro images into the first description; of the others only the beginning is looked at. */
const MAX_DESCRIPTION = 16 * 2 ** 20;
const MAX_TEXT = 65_536;
/** Four quantisation and eight Huffman tables take 3 kB. */
const MAX_TABLES = 16_384;
/** Tiles of one image: a slide of half a million pixels a side in tiles of 256. More is damage, and would be allocated. */
const MAX_TILES = 2 ** 22;

/**
 * Reads every image's directory; the file must have passed `probeTiff`. Images without pixels (no tile or strip arrays,
 * size 0) are left out. What is wrong with an image is its `fault`, because it may be a thumbnail.
 *
 * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED when it is the first, which says what the file is.
 */
export function readPages(probe: TiffProbe): TiffPage[] {
  const pages = probe.directories.flatMap((directory, index) => readPage(probe, index, directory, true) ?? []);
  const fault = pages.find(({ index }) => index === 0)?.fault;
  if (fault) throw fault;
  return pages;
}

/** Offsets and byte counts of a page's tiles, one each a tile, in row-major order. */
export function readTileArrays(probe: TiffProbe, page: TiffPage): { offsets: Float64Array; byteCounts: Float64Array } {
  const tiles = tilesOf(page);
  const { offsets, byteCounts } = arraysOf(page);
  if (!offsets || !byteCounts || offsets.count < tiles || byteCounts.count < tiles)
    throw unreadable(
      probe.path,
      `image ${page.index} of ${page.width} × ${page.height} pixels needs ${tiles} tiles and lists ${Math.min(offsets?.count ?? 0, byteCounts?.count ?? 0)}`,
    );
  if (tiles > MAX_TILES) throw unreadable(probe.path, `image ${page.index} claims ${tiles} tiles`);
  const read = (entry: ProbedEntry) => readNumbers(probe, { ...entry, count: tiles });
  return { offsets: read(offsets), byteCounts: read(byteCounts) };
}

/**
 * A file can claim any size without a byte on disk, so that what its images claim together is limited too.
 * @throws SLIDE_UNREADABLE
 */
export function checkTileCount(path: string, pages: readonly TiffPage[]): void {
  const listed = (page: TiffPage) => arraysOf(page).offsets?.count ?? 0;
  const tiles = pages.reduce((sum, page) => sum + Math.min(tilesOf(page), listed(page)), 0);
  if (tiles > 2 * MAX_TILES) throw unreadable(path, `its images claim ${tiles} tiles`);
}

const tilesOf = ({ width, height, tileWidth, tileHeight }: TiffPage): number =>
  Math.ceil(width / tileWidth) * Math.ceil(height / tileHeight);

/** Some writers tell where tiles lie by the tags for strips. */
function arraysOf({ directory: { entries } }: TiffPage): Partial<Record<'offsets' | 'byteCounts', ProbedEntry>> {
  const offsets = entries.get(TAG.tileOffsets) ?? entries.get(TAG.stripOffsets);
  const byteCounts = entries.get(TAG.tileByteCounts) ?? entries.get(TAG.stripByteCounts);
  return { ...(offsets && { offsets }), ...(byteCounts && { byteCounts }) };
}

function readPage(
  probe: TiffProbe,
  index: number,
  directory: ProbedDirectory,
  withChildren: boolean,
): TiffPage | undefined {
  const { entries } = directory;
  if (!entries.has(TAG.tileOffsets) && !entries.has(TAG.stripOffsets)) return undefined;
  const tiled = entries.has(TAG.tileOffsets) || (entries.has(TAG.tileWidth) && entries.has(TAG.tileHeight));
  const values = new TiffValues(probe, directory);
  const number = (tag: number, otherwise: number) => values.integer(tag) ?? otherwise;
  const width = number(256, 0);
  const height = number(257, 0);
  if (width === 0 || height === 0) return undefined;
  const tileWidth = tiled ? number(TAG.tileWidth, 0) : width;
  const tileHeight = tiled ? number(TAG.tileHeight, 0) : Math.min(height, number(278, height));
  const noSize = tileWidth === 0 || tileHeight === 0;
  const { pages, lost } = withChildren ? readSubDirectories(probe, index, directory) : NO_CHILDREN;
  const samplesPerPixel = number(277, 1);
  const bits = values.integers(258, 16);
  const description = values.text(270, index === 0 && withChildren ? MAX_DESCRIPTION : MAX_TEXT);
  return {
    index,
    width,
    height,
    tileWidth,
    tileHeight,
    tiled,
    samplesPerPixel,
    compression: number(259, 1),
    photometric: number(262, samplesPerPixel >= 3 ? 2 : 1),
    bitsPerSample: bits.length > 0 ? bits : [1],
    extraSamples: values.integers(338, 16),
    planarConfiguration: number(284, 1),
    predictor: number(317, 1),
    sampleFormat: number(339, 1),
    subfileType: number(254, 0),
    description,
    jpegTables: values.bytes(347, MAX_TABLES),
    spacing: spacingOf(values, description),
    hasIcc: entries.has(34675),
    vendor: vendorOf(entries.has(65420), description, values),
    fault: noSize ? unreadable(probe.path, `image ${index} has tiles of no size`) : faultOf(directory),
    directory,
    subDirectories: pages,
    lostSubDirectories: lost,
  };
}

const faultOf = ({ entries }: ProbedDirectory): StromaflowError | undefined =>
  [...entries.values()].find(({ beyond }) => beyond)?.beyond;

const NO_CHILDREN = { pages: [], lost: 0 } as const;

/** They are reduced copies: one that cannot be read costs no slide. */
function readSubDirectories(
  probe: TiffProbe,
  index: number,
  directory: ProbedDirectory,
): { readonly pages: readonly TiffPage[]; readonly lost: number } {
  const entry = directory.entries.get(TAG.subIfds);
  if (!entry || entry.beyond || !NUMBER_TYPES.has(entry.type)) return NO_CHILDREN;
  const count = Math.min(entry.count, MAX_SUB_DIRECTORIES);
  const offsets = [...readNumbers(probe, { ...entry, count })].filter(offset => offset !== 0);
  const pages: TiffPage[] = [];
  let lost = entry.count - count;
  for (const offset of offsets)
    try {
      const page = readPage(probe, index, probeDirectory(probe, offset).directory, false);
      if (page) pages.push(page);
    } catch {
      lost += 1;
    }
  return { pages, lost };
}

/**
 * NDPI: one JPEG of any size, restart markers in a private tag (65420 marks the format). BIF: tiles overlap, as its XMP says.
 * SCN: several regions side by side, as its XML says.
 */
function vendorOf(ndpi: boolean, description: string, values: TiffValues): TiffPage['vendor'] {
  if (ndpi) return 'Hamamatsu NDPI';
  if (/<scn\b/.test(description)) return 'Leica SCN';
  return /<iScan\b/.test(values.bytes(700, MAX_TEXT)?.toString('latin1') ?? '') ? 'Ventana BIF' : undefined;
}

/** Spacing of each axis from XResolution, YResolution and ResolutionUnit (2 inch, 3 centimetre; 1: what ImageJ's text says). */
function spacingOf(values: TiffValues, description: string): AxisSpacing | undefined {
  const imageJ = /^ImageJ=[^\n]{0,64}\n(?:[^\n]{0,1024}\n){0,32}?unit=(\S{1,32})/.exec(description)?.[1];
  const stated = { 1: imageJ === undefined ? undefined : micrometresIn(unescaped(imageJ)), 2: 25_400, 3: 10_000 };
  const perUnit = stated[(values.integer(296) ?? 2) as 1 | 2 | 3];
  const x = values.ratio(282);
  const y = values.ratio(283) ?? x;
  return perUnit && x && y ? { x: perUnit / x, y: perUnit / y } : undefined;
}

/** ImageJ writes µ as Java source does. */
const unescaped = (unit: string): string => unit.replace('\\u00B5', 'µ');
