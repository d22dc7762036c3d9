import type { SlideNote } from '../note.js';
import type { AxisSpacing } from '../slide.js';
import type { TiffPage } from './page.js';
import type { FittedLevel, LeftOutImage, Pyramid } from './pyramid.js';

/** What a TIFF turned out to be: its pyramid, finest level first, and the facts its maker wrote about it. */
export interface TiffFormat {
  /** For people. */
  readonly name: string;
  readonly levels: readonly FittedLevel[];
  /** Spacing of level 0 in µm/px; undefined when the file does not say. */
  readonly mpp: number | AxisSpacing | undefined;
  /** Why its pixels cannot be read although every image of it could, and what to do. */
  readonly problem?: { readonly what: string; readonly fix?: string };
  /** What was left out of it or assumed. */
  readonly notes: readonly SlideNote[];
  /** Scenes of tissue, by their number in the file from 1, where there are several: a slide each. */
  readonly scenes?: readonly number[];
  /** It stores no tile where nothing was scanned. */
  readonly sparse?: boolean;
  /** Acquisition facts that are safe to show; everything else in the description stays behind. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Spacings a microscope slide can have, µm/px; anything else in a resolution tag is a printer's (72 dpi = 353). */
const PLAUSIBLE = { least: 0.05, most: 10 } as const;

export function plausible(mpp: number | undefined): number | undefined {
  return mpp !== undefined && mpp >= PLAUSIBLE.least && mpp <= PLAUSIBLE.most ? mpp : undefined;
}

/** A spacing for each axis, one where both are the same or only one can be; undefined where none can. */
export function plausibleAxes(axes: AxisSpacing | undefined): number | AxisSpacing | undefined {
  const x = plausible(axes?.x);
  const y = plausible(axes?.y);
  return x === undefined || y === undefined || x === y ? (x ?? y) : { x, y };
}

export const axesOf = (mpp: number | AxisSpacing | undefined): AxisSpacing | undefined =>
  typeof mpp === 'number' ? { x: mpp, y: mpp } : mpp;

/** Two spacings that differ by more than this (relative) are a contradiction. */
const CONTRADICTION = 0.05;

/** Settles the spacing: the description goes before the resolution tags, and where both are a microscope's and differ, a note says so. */
export function spacingOf(
  described: number | AxisSpacing | undefined,
  first: TiffPage,
): { readonly mpp: number | AxisSpacing | undefined; readonly notes: readonly SlideNote[] } {
  const tagged = plausibleAxes(first.spacing);
  const [by, tag] = [axesOf(described), axesOf(tagged)];
  const differ = by && tag && Math.max(Math.abs(by.x / tag.x - 1), Math.abs(by.y / tag.y - 1)) > CONTRADICTION;
  const message = differ
    ? `its description says ${micrometres(by)}, its resolution tags ${micrometres(tag)}: the description was taken; --mpp overrules both`
    : '';
  return { mpp: described ?? tagged, notes: differ ? [{ code: 'assumed', message }] : [] };
}

const micrometres = ({ x, y }: AxisSpacing): string => {
  const shown = (value: number) => String(Number(value.toPrecision(4)));
  return x === y ? `${shown(x)} µm/px` : `${shown(x)} × ${shown(y)} µm/px`;
};

export const sizeOf = ({ width, height }: Pick<TiffPage, 'width' | 'height'>): string => `${width} × ${height} px`;

/** Images named in one note; a stack may have thousands. */
const NAMED = 8;

/** Notes of images that were not used: levels that do not fit, and images that may be something else. */
export function leftOutNotes(
  { levels: used, leftOut }: Pyramid,
  isLevel: (image: LeftOutImage) => boolean,
  lostDirectories = 0,
): SlideNote[] {
  const levels = leftOut.filter(isLevel);
  const images = leftOut.filter(image => !isLevel(image));
  const listed = (all: readonly LeftOutImage[]) => listOf(all.map(({ page, reason }) => `${sizeOf(page)} (${reason})`));
  const notes: SlideNote[] = [];
  if (levels.length > 0)
    notes.push({ code: 'level-left-out', message: `levels left out, finer ones are read instead: ${listed(levels)}` });
  if (lostDirectories > 0)
    notes.push({
      code: 'level-left-out',
      message: `${lostDirectories} levels left out, finer ones are read instead: their directories are damaged`,
    });
  notes.push(...assumedNotes(used));
  if (images.length > 0)
    notes.push({ code: 'image-left-out', message: `other images of the file left out: ${listed(images)}` });
  return notes;
}

/** What had to be taken from the sizes of levels alone. */
function assumedNotes([first, ...coarser]: readonly FittedLevel[]): SlideNote[] {
  const notes: SlideNote[] = [];
  if (first && (first.width < first.page.width || first.height < first.page.height))
    notes.push({
      code: 'assumed',
      message: `the slide is taken to be ${sizeOf(first)}, as its coarser levels show, and the rest of ${sizeOf(first.page)} to fill up the last tiles`,
    });
  const uneven = coarser.filter(level => level.uneven);
  const listed = uneven.map(({ page, downsample }) => `${sizeOf(page)} ${Number(downsample.toPrecision(4))} times`);
  if (uneven.length > 0)
    notes.push({
      code: 'assumed',
      message: `by their sizes alone levels are taken to be coarser by: ${listOf(listed)}`,
    });
  return notes;
}

/** A list for a message, of a sane length. */
export function listOf(all: readonly string[]): string {
  const more = all.length > NAMED ? `; and ${all.length - NAMED} more` : '';
  return `${all.slice(0, NAMED).join('; ')}${more}`;
}

/** What may be told of a slide besides its geometry. */
export function properties(first: TiffPage, facts: { objective?: string | undefined; scanner?: string | undefined }) {
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
    34712: 'JPEG 2000',
    50000: 'Zstandard',
  };
  return names[page.compression] ?? `code ${page.compression}`;
}
