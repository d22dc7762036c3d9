import {
  type ProbedDirectory,
  type ProbedEntry,
  probeDirectory,
  readNumbers,
  type TiffProbe,
  unreadable,
} from './tiff-probe.js';
import { TiffValues } from './tiff-values.js';

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
  readonly planarConfiguration: number;
  readonly predictor: number;
  readonly sampleFormat: number;
  /** Bit 0: reduced-resolution copy; Aperio's 9 is a macro. */
  readonly subfileType: number;
  readonly description: string;
  readonly jpegTables: Uint8Array | undefined;
  /** Spacing by the resolution tags in µm/px, when they are given in a physical unit. */
  readonly spacing: number | undefined;
  readonly hasIcc: boolean;
  /** Written by a scanner whose files break TIFF's rules, so that reading them as TIFF would give wrong pixels. */
  readonly vendor: 'Hamamatsu NDPI' | 'Ventana BIF' | 'Leica SCN' | undefined;
  readonly directory: ProbedDirectory;
  readonly subDirectories: readonly TiffPage[];
}

const TAG = {
  stripOffsets: 273,
  stripByteCounts: 279,
  tileOffsets: 324,
  tileByteCounts: 325,
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
 * size 0) are left out.
 *
 * @throws SLIDE_UNREADABLE when a directory contradicts itself.
 */
export function readPages(probe: TiffProbe): TiffPage[] {
  return probe.directories.flatMap((directory, index) => readPage(probe, index, directory, true) ?? []);
}

/** Offsets and byte counts of a page's tiles, one each a tile, in row-major order. */
export function readTileArrays(probe: TiffProbe, page: TiffPage): { offsets: Float64Array; byteCounts: Float64Array } {
  const { entries } = page.directory;
  const tiles = tilesOf(page);
  const offsets = entries.get(page.tiled ? TAG.tileOffsets : TAG.stripOffsets);
  const byteCounts = entries.get(page.tiled ? TAG.tileByteCounts : TAG.stripByteCounts);
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
  const listed = ({ directory, tiled }: TiffPage) =>
    directory.entries.get(tiled ? TAG.tileOffsets : TAG.stripOffsets)?.count ?? 0;
  const tiles = pages.reduce((sum, page) => sum + Math.min(tilesOf(page), listed(page)), 0);
  if (tiles > 2 * MAX_TILES) throw unreadable(path, `its images claim ${tiles} tiles`);
}

const tilesOf = ({ width, height, tileWidth, tileHeight }: TiffPage): number =>
  Math.ceil(width / tileWidth) * Math.ceil(height / tileHeight);

function readPage(
  probe: TiffProbe,
  index: number,
  directory: ProbedDirectory,
  withChildren: boolean,
): TiffPage | undefined {
  const { entries } = directory;
  const tiled = entries.has(TAG.tileOffsets);
  if (!tiled && !entries.has(TAG.stripOffsets)) return undefined;
  const values = new TiffValues(probe, directory);
  const number = (tag: number, otherwise: number) => values.integer(tag) ?? otherwise;
  const width = number(256, 0);
  const height = number(257, 0);
  if (width === 0 || height === 0) return undefined;
  const tileWidth = tiled ? number(322, 0) : width;
  const tileHeight = tiled ? number(323, 0) : Math.min(height, number(278, height));
  if (tileWidth === 0 || tileHeight === 0) throw unreadable(probe.path, `image ${index} has tiles of no size`);
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
    planarConfiguration: number(284, 1),
    predictor: number(317, 1),
    sampleFormat: number(339, 1),
    subfileType: number(254, 0),
    description,
    jpegTables: values.bytes(347, MAX_TABLES),
    spacing: spacingOf(values),
    hasIcc: entries.has(34675),
    vendor: vendorOf(entries.has(65420), description, values),
    directory,
    subDirectories: withChildren ? readSubDirectories(probe, index, directory) : [],
  };
}

function readSubDirectories(probe: TiffProbe, index: number, directory: ProbedDirectory): TiffPage[] {
  const entry = directory.entries.get(TAG.subIfds);
  if (!entry || entry.count > MAX_SUB_DIRECTORIES) return [];
  const offsets = [...readNumbers(probe, entry)].filter(offset => offset !== 0);
  return offsets.flatMap(offset => readPage(probe, index, probeDirectory(probe, offset).directory, false) ?? []);
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

/** Mean spacing of both axes from XResolution, YResolution and ResolutionUnit (2 inch, 3 centimetre). */
function spacingOf(values: TiffValues): number | undefined {
  const perUnit = { 2: 25_400, 3: 10_000 }[values.integer(296) ?? 2];
  const x = values.ratio(282);
  const y = values.ratio(283) ?? x;
  return perUnit && x && y ? (perUnit / x + perUnit / y) / 2 : undefined;
}
