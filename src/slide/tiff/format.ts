import { decimal } from '../decimal.js';
import type { SlideNote } from '../note.js';
import { axesOf, leftOutNotes, plausible, plausibleAxes, properties, spacingOf, type TiffFormat } from './facts.js';
import { recogniseOme } from './ome.js';
import type { TiffPage } from './page.js';
import { fitPyramid, isReduction, type LeftOutImage } from './pyramid.js';

export interface RecogniseOptions {
  /** The file's name: OME-XML may tell files by it. */
  readonly fileName?: string;
  /** Of several scenes the one with this number, from 1. */
  readonly scene?: number | undefined;
}

/**
 * Tells the format by the first image's description; undefined when no image can be a level. The text is
 * anybody's and may be long: every expression below takes linear time, because what it repeats is bounded.
 */
export function recogniseTiff(pages: readonly TiffPage[], options: RecogniseOptions = {}): TiffFormat | undefined {
  const description = pages[0]?.description ?? '';
  if (description.startsWith('Aperio')) return aperio(pages);
  if (description.includes('DPUfsImport')) return philips(pages);
  if (/<(?:\w{1,32}:)?OME[\s>]/.test(description)) return recogniseOme(pages, options);
  return generic(pages);
}

/** "In Aperio files the first image is the full one, tiled images are levels, striped ones are associated images." */
function aperio(pages: readonly TiffPage[]): TiffFormat | undefined {
  const [first, ...others] = pages;
  if (!first) return undefined;
  const field = (name: string) =>
    new RegExp(`\\|\\s{0,16}${name}\\s{0,16}=\\s{0,16}([^|;\\r\\n]{0,64})`).exec(first.description)?.[1]?.trim();
  const { mpp, notes } = spacingOf(plausible(decimal(field('MPP'))), first);
  const pyramid = fitPyramid(
    first,
    others.filter(page => page.tiled && !isAssociated(page)),
    { spacing: axesOf(mpp) },
  );
  return {
    name: 'Aperio SVS',
    levels: pyramid.levels,
    mpp,
    notes: [...notes, ...leftOutNotes(pyramid, ({ why }) => why !== 'same-size')],
    properties: properties(first, { objective: field('AppMag'), scanner: field('ScanScope ID') }),
  };
}

/** Philips TIFF: DICOM attributes as XML; associated images are told by a description of one word. */
function philips(pages: readonly TiffPage[]): TiffFormat | undefined {
  const [first, ...others] = pages;
  if (!first) return undefined;
  const attribute = (name: string) =>
    new RegExp(`Name="${name}"[^<>]{0,256}>([^<]{0,1024})<`)
      .exec(first.description)?.[1]
      ?.replaceAll('&quot;', '"')
      .trim();
  // DICOM's order: between rows, then between columns.
  const [y, x = y] = (attribute('DICOM_PIXEL_SPACING')?.match(/[\d.,eE+-]{1,64}/g) ?? []).map(
    value => decimal(value) * 1000,
  );
  const { mpp, notes } = spacingOf(x === undefined || y === undefined ? undefined : plausibleAxes({ x, y }), first);
  const pyramid = fitPyramid(
    first,
    others.filter(page => page.tiled && !isAssociated(page)),
    { spacing: axesOf(mpp), padded: true },
  );
  return {
    name: 'Philips TIFF',
    sparse: true,
    levels: pyramid.levels,
    mpp,
    notes: [...notes, ...leftOutNotes(pyramid, () => true)],
    properties: properties(first, {
      scanner: attribute('DICOM_MANUFACTURERS_MODEL_NAME') ?? attribute('DICOM_MANUFACTURER'),
    }),
  };
}

/**
 * Any other TIFF: the largest tiled image (else the first one) and its reduced copies of the same shape. What the file does not
 * call a reduced copy may be another picture or a map: its pixels decide, when the slide is opened.
 */
function generic(pages: readonly TiffPage[]): TiffFormat | undefined {
  const usable = pages.filter(page => !isAssociated(page) && !isMask(page));
  const tiled = usable.filter(page => page.tiled);
  const candidates = tiled.length > 0 ? tiled : usable;
  const first = candidates.reduce<TiffPage | undefined>(
    (best, page) => (best && best.width * best.height >= page.width * page.height ? best : page),
    undefined,
  );
  if (!first) return undefined;
  const { mpp, notes } = spacingOf(undefined, first);
  const others = candidates.filter(page => page !== first);
  const isReduced = (page: TiffPage) => (page.subfileType & 1) === 1 || first.subDirectories.includes(page);
  // Of two of a size the one that the file calls a reduced copy is the level.
  const rest = [...first.subDirectories, ...others.filter(isReduced), ...others.filter(page => !isReduced(page))];
  const pyramid = fitPyramid(first, rest, { spacing: axesOf(mpp), bySize: page => !isReduced(page) });
  const isLevel = ({ page, why }: LeftOutImage) => isReduced(page) || (why === 'fault' && isReduction(first, page));
  return {
    name: first.tiled ? 'generic tiled TIFF' : 'striped TIFF',
    levels: pyramid.levels,
    mpp,
    notes: [
      ...notes,
      ...leftOutNotes(pyramid, isLevel, first.lostSubDirectories),
      ...(pages.some(isMask) ? [MASK_NOTE] : []),
      ...notTiled(
        first,
        usable.filter(page => !candidates.includes(page)),
      ),
    ],
    properties: properties(first, {}),
  };
}

/** GDAL stores what is transparent as an image of its own. */
const isMask = ({ subfileType, photometric }: TiffPage): boolean => (subfileType & 4) !== 0 || photometric === MASK;
const MASK = 4;
const MASK_NOTE: SlideNote = {
  code: 'image-left-out',
  message: 'a transparency mask of the file left out: what it hides is read as it is stored',
};

/** A striped image of this part of the slide's pixels and more is no label or macro. */
const LARGE = 1 / 16;

/** Images in strips beside tiled ones are labels and the like, unless they are large. */
function notTiled(first: TiffPage, striped: readonly TiffPage[]): SlideNote[] {
  const large = striped.filter(
    ({ width, height, subfileType }) => (subfileType & 1) === 0 && width * height >= LARGE * first.width * first.height,
  );
  const leftOut = large.map(page => ({ page, why: 'shape', reason: 'not tiled, as the slide is' }) as const);
  return leftOutNotes({ levels: [], leftOut }, () => false);
}

/** Label, macro and thumbnail images are never opened. */
function isAssociated(page: TiffPage): boolean {
  return page.subfileType === 9 || /^\s*(label|macro|thumbnail)\b/i.test(page.description.slice(0, 200));
}
