import { fromFile, type ImageFileDirectory } from 'geotiff';
import { type ProbedDirectory, probeDirectory, readNumbers, type TiffProbe, unreadable } from './tiff-probe.js';

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

/**
 * Reads every image's directory with geotiff.js; the file must have passed `probeTiff`. Images without pixels (no tile
 * or strip arrays, size 0) are left out.
 *
 * @throws SLIDE_UNREADABLE when a directory contradicts itself.
 */
export async function readPages(probe: TiffProbe): Promise<TiffPage[]> {
  const tiff = await fromFile(probe.path);
  try {
    const pages: TiffPage[] = [];
    for (const [index, directory] of probe.directories.entries()) {
      const read = (at: number) => tiff.parser.parseFileDirectoryAt(at);
      const page = await readPage(probe, read, index, directory, true);
      if (page) pages.push(page);
    }
    return pages;
  } finally {
    tiff.close();
  }
}

/** Offsets and byte counts of a page's tiles, one each a tile, in row-major order. */
export function readTileArrays(probe: TiffProbe, page: TiffPage): { offsets: Float64Array; byteCounts: Float64Array } {
  const { entries } = page.directory;
  const offsets = entries.get(page.tiled ? TAG.tileOffsets : TAG.stripOffsets);
  const byteCounts = entries.get(page.tiled ? TAG.tileByteCounts : TAG.stripByteCounts);
  const tiles = Math.ceil(page.width / page.tileWidth) * Math.ceil(page.height / page.tileHeight);
  if (!offsets || !byteCounts || offsets.count < tiles || byteCounts.count < tiles)
    throw unreadable(
      probe.path,
      `image ${page.index} of ${page.width} × ${page.height} pixels needs ${tiles} tiles and lists ${Math.min(offsets?.count ?? 0, byteCounts?.count ?? 0)}`,
    );
  return { offsets: readNumbers(probe, offsets), byteCounts: readNumbers(probe, byteCounts) };
}

type ReadDirectory = (offset: number) => Promise<ImageFileDirectory>;

async function readPage(
  probe: TiffProbe,
  read: ReadDirectory,
  index: number,
  directory: ProbedDirectory,
  withChildren: boolean,
): Promise<TiffPage | undefined> {
  const { entries } = directory;
  const tiled = entries.has(TAG.tileOffsets);
  if (!tiled && !entries.has(TAG.stripOffsets)) return undefined;
  const fields = await read(directory.offset);
  const number = async (tag: number, otherwise: number) => asInteger(await fields.loadValue(tag)) ?? otherwise;
  const width = await number(256, 0);
  const height = await number(257, 0);
  if (width === 0 || height === 0) return undefined;
  const tileWidth = tiled ? await number(322, 0) : width;
  const tileHeight = tiled ? await number(323, 0) : Math.min(height, await number(278, height));
  if (tileWidth === 0 || tileHeight === 0) throw unreadable(probe.path, `image ${index} has tiles of no size`);
  const samplesPerPixel = await number(277, 1);
  const bits = await fields.loadValue(258);
  const tables = await fields.loadValue(347);
  const description = asText(await fields.loadValue(270));
  return {
    index,
    width,
    height,
    tileWidth,
    tileHeight,
    tiled,
    samplesPerPixel,
    compression: await number(259, 1),
    photometric: await number(262, samplesPerPixel >= 3 ? 2 : 1),
    bitsPerSample: isNumbers(bits) ? Array.from(bits).slice(0, 16) : [asInteger(bits) ?? 1],
    planarConfiguration: await number(284, 1),
    predictor: await number(317, 1),
    sampleFormat: await number(339, 1),
    subfileType: await number(254, 0),
    description,
    jpegTables: tables instanceof Uint8Array ? tables.slice() : undefined,
    spacing: await spacingOf(fields),
    hasIcc: entries.has(34675),
    vendor: await vendorOf(entries.has(65420), description, () => fields.loadValue(700)),
    directory,
    subDirectories: withChildren ? await readSubDirectories(probe, read, index, directory) : [],
  };
}

async function readSubDirectories(
  probe: TiffProbe,
  read: ReadDirectory,
  index: number,
  directory: ProbedDirectory,
): Promise<TiffPage[]> {
  const entry = directory.entries.get(TAG.subIfds);
  if (!entry || entry.count > MAX_SUB_DIRECTORIES) return [];
  const pages: TiffPage[] = [];
  for (const offset of readNumbers(probe, entry)) {
    if (offset === 0) continue;
    const page = await readPage(probe, read, index, probeDirectory(probe, offset).directory, false);
    if (page) pages.push(page);
  }
  return pages;
}

/**
 * NDPI: one JPEG of any size, restart markers in a private tag (65420 marks the format). BIF: tiles overlap, as its XMP says.
 * SCN: several regions side by side, as its XML says.
 */
async function vendorOf(ndpi: boolean, description: string, xmp: () => Promise<unknown>): Promise<TiffPage['vendor']> {
  if (ndpi) return 'Hamamatsu NDPI';
  if (/<scn\b/.test(description)) return 'Leica SCN';
  const value = await xmp();
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : asText(value);
  return /<iScan\b/.test(text) ? 'Ventana BIF' : undefined;
}

/** Mean spacing of both axes from XResolution, YResolution and ResolutionUnit (2 inch, 3 centimetre). */
async function spacingOf(fields: ImageFileDirectory): Promise<number | undefined> {
  const perUnit = { 2: 25_400, 3: 10_000 }[asInteger(await fields.loadValue(296)) ?? 2];
  const x = asRatio(await fields.loadValue(282));
  const y = asRatio(await fields.loadValue(283)) ?? x;
  return perUnit && x && y ? (perUnit / x + perUnit / y) / 2 : undefined;
}

function isNumbers(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** The first value of a tag that should hold one. */
function asInteger(value: unknown): number | undefined {
  const first = isNumbers(value) ? value[0] : value;
  return typeof first === 'number' && Number.isInteger(first) && first >= 0 ? first : undefined;
}

function asRatio(value: unknown): number | undefined {
  if (!isNumbers(value)) return undefined;
  const ratio = Number(value[0]) / Number(value[1]);
  return Number.isFinite(ratio) && ratio > 0 ? ratio : undefined;
}

const asText = (value: unknown): string => (typeof value === 'string' ? value.replace(/\0+$/, '') : '');
