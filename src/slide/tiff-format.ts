import type { TiffPage } from './tiff-page.js';

/** What a TIFF turned out to be: its pyramid, finest level first, and the facts its maker wrote about it. */
export interface TiffFormat {
  /** For people. */
  readonly name: string;
  readonly levels: readonly TiffPage[];
  /** Spacing of level 0 in µm/px; undefined when the file does not say. */
  readonly mpp: number | undefined;
  /** Levels are halves of each other although padding makes their sizes say otherwise. */
  readonly dyadic: boolean;
  /** It stores no tile where nothing was scanned. */
  readonly sparse?: boolean;
  /** Why its pixels cannot be read although every image of it could. */
  readonly problem?: string;
  /** Acquisition facts that are safe to show; everything else in the description stays behind. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Spacings a microscope slide can have, µm/px; anything else in a resolution tag is a printer's (72 dpi = 353). */
const PLAUSIBLE = { least: 0.05, most: 10 } as const;

/**
 * Tells the format by the first image's description; undefined when no image can be a level. The text is
 * anybody's and may be long: every expression below takes linear time, because what it repeats is bounded.
 */
export function recogniseTiff(pages: readonly TiffPage[]): TiffFormat | undefined {
  const description = pages[0]?.description ?? '';
  if (description.startsWith('Aperio')) return aperio(pages);
  if (description.includes('DPUfsImport')) return philips(pages);
  if (/<OME[\s>]/.test(description)) return ome(pages);
  return generic(pages);
}

/** "In Aperio files the first image is the full one, tiled images are levels, striped ones are associated images." */
function aperio(pages: readonly TiffPage[]): TiffFormat | undefined {
  const [first] = pages;
  if (!first) return undefined;
  const field = (name: string) =>
    new RegExp(`\\|\\s{0,16}${name}\\s{0,16}=\\s{0,16}([^|;\\r\\n]{0,64})`).exec(first.description)?.[1]?.trim();
  return {
    name: 'Aperio SVS',
    levels: pyramid(
      first,
      pages.slice(1).filter(page => page.tiled),
    ),
    mpp: plausible(Number(field('MPP'))) ?? plausible(first.spacing),
    dyadic: false,
    properties: properties(first, { objective: field('AppMag'), scanner: field('ScanScope ID') }),
  };
}

/** Philips TIFF: DICOM attributes as XML; associated images are told by a description of one word. */
function philips(pages: readonly TiffPage[]): TiffFormat | undefined {
  const [first] = pages;
  if (!first) return undefined;
  const attribute = (name: string) =>
    new RegExp(`Name="${name}"[^<>]{0,256}>([^<]{0,1024})<`)
      .exec(first.description)?.[1]
      ?.replaceAll('&quot;', '"')
      .trim();
  const spacing = attribute('DICOM_PIXEL_SPACING')
    ?.match(/[\d.eE+-]+/g)
    ?.map(value => Number(value) * 1000);
  const mpp = spacing && spacing.length >= 2 ? ((spacing[0] as number) + (spacing[1] as number)) / 2 : spacing?.[0];
  return {
    name: 'Philips TIFF',
    levels: pyramid(
      first,
      pages.slice(1).filter(page => page.tiled && !isAssociated(page)),
    ),
    mpp: plausible(mpp),
    dyadic: true,
    sparse: true,
    properties: properties(first, {
      scanner: attribute('DICOM_MANUFACTURERS_MODEL_NAME') ?? attribute('DICOM_MANUFACTURER'),
    }),
  };
}

/** OME-TIFF: pyramid levels are SubIFDs of the first image (OME-TIFF 6), or further images of the main chain. */
function ome(pages: readonly TiffPage[]): TiffFormat | undefined {
  const [first] = pages;
  if (!first) return undefined;
  const pixels = /<(?:\w{1,32}:)?Pixels\b[^<>]{0,4096}>/.exec(first.description)?.[0] ?? '';
  const attribute = (tag: string, name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  const size = (axis: 'X' | 'Y') => {
    const factor = { nm: 1e-3, µm: 1, μm: 1, mm: 1e3 }[attribute(pixels, `PhysicalSize${axis}Unit`) ?? 'µm'];
    return factor === undefined ? Number.NaN : Number(attribute(pixels, `PhysicalSize${axis}`)) * factor;
  };
  const objective = /<(?:\w{1,32}:)?Objective\b[^<>]{0,4096}>/.exec(first.description)?.[0] ?? '';
  const channels = Number(attribute(pixels, 'SizeC') ?? first.samplesPerPixel);
  const rest = first.subDirectories.length > 0 ? first.subDirectories : pages.slice(1).filter(page => page.tiled);
  return {
    name: 'OME-TIFF',
    ...(channels > first.samplesPerPixel ? { problem: `stores its ${channels} channels as separate images` } : {}),
    levels: pyramid(first, rest),
    mpp: plausible((size('X') + size('Y')) / 2) ?? plausible(size('X')) ?? plausible(first.spacing),
    dyadic: false,
    properties: properties(first, { objective: attribute(objective, 'NominalMagnification') }),
  };
}

/** Any other TIFF: the largest tiled image (else the first one) and its reduced copies of the same shape. */
function generic(pages: readonly TiffPage[]): TiffFormat | undefined {
  const usable = pages.filter(page => !isAssociated(page));
  const tiled = usable.filter(page => page.tiled);
  const candidates = tiled.length > 0 ? tiled : usable;
  const first = candidates.reduce<TiffPage | undefined>(
    (best, page) => (best && best.width * best.height >= page.width * page.height ? best : page),
    undefined,
  );
  if (!first) return undefined;
  const rest = [...first.subDirectories, ...candidates.filter(page => page !== first)];
  return {
    name: first.tiled ? 'generic tiled TIFF' : 'striped TIFF',
    levels: pyramid(first, rest),
    mpp: plausible(first.spacing),
    dyadic: false,
    properties: properties(first, {}),
  };
}

/** The images that show the same field as `first` at lower resolution, finest first; one of each size. */
function pyramid(first: TiffPage, rest: readonly TiffPage[]): TiffPage[] {
  const levels = [first];
  for (const page of rest.toSorted((a, b) => b.width - a.width)) {
    const last = levels.at(-1) as TiffPage;
    if (page.width < last.width && page.height < last.height && sameShape(first, page)) levels.push(page);
  }
  return levels;
}

/**
 * Sizes of levels are rounded, up to whole tiles in some files: the same shape is one that could come from cutting or
 * padding by up to one tile.
 */
function sameShape(first: TiffPage, page: TiffPage): boolean {
  const across = first.width / page.width;
  const down = first.height / page.height;
  const slackX = (page.tiled ? page.tileWidth : 2) / page.width;
  const slackY = (page.tiled ? page.tileHeight : 2) / page.height;
  return Math.abs(across / down - 1) <= Math.min(0.5, Math.max(0.02, Math.min(slackX, slackY)));
}

/** Label, macro and thumbnail images are never opened. */
function isAssociated(page: TiffPage): boolean {
  return page.subfileType === 9 || /^\s*(label|macro|thumbnail)\b/i.test(page.description.slice(0, 200));
}

function plausible(mpp: number | undefined): number | undefined {
  return mpp !== undefined && mpp >= PLAUSIBLE.least && mpp <= PLAUSIBLE.most ? mpp : undefined;
}

function properties(first: TiffPage, facts: { objective?: string | undefined; scanner?: string | undefined }) {
  const found: Record<string, string> = {
    icc: first.hasIcc ? 'present' : 'absent',
    compression: compressionName(first),
  };
  // Only values of the shape these fields have: a free text in their place must not slip through.
  if (facts.objective && /^\d{1,3}(\.\d+)?$/.test(facts.objective)) found['objective'] = facts.objective;
  if (facts.scanner && /^[\w .-]{1,32}$/.test(facts.scanner)) found['scanner'] = facts.scanner;
  return found;
}

function compressionName(page: TiffPage): string {
  const names: Readonly<Record<number, string>> = {
    1: 'none',
    5: 'LZW',
    7: 'JPEG',
    8: 'deflate',
    32773: 'PackBits',
    32946: 'deflate',
    33003: 'JPEG 2000 (YCbCr)',
    33005: 'JPEG 2000 (RGB)',
  };
  return names[page.compression] ?? `code ${page.compression}`;
}
