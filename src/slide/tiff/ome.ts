import type { SlideNote } from '../note.js';
import type { AxisSpacing } from '../slide.js';
import { meanSpacing } from '../slide-facts.js';
import { axesOf, leftOutNotes, listOf, properties, sizeOf, spacingOf, type TiffFormat } from './facts.js';
import { type OmeScene, scenesOf } from './ome-scenes.js';
import { type OmeDocument, readOmeXml } from './ome-xml.js';
import type { TiffPage } from './page.js';
import { fitPyramid, unreduced } from './pyramid.js';

/**
 * OME-TIFF: one image or several (scenes), each of one plane or more; pyramid levels are SubIFDs of the plane (OME-TIFF 6), or
 * further images of the main chain that the document does not mention. Of several scenes, those of tissue are a slide each
 * (`file.ome.tif#2`); without a number the one of the largest area is read. A note names what was left out, by its size and
 * never by its name, which is free text.
 */
export function recogniseOme(
  pages: readonly TiffPage[],
  { fileName, scene }: { fileName?: string; scene?: number | undefined },
): TiffFormat | undefined {
  const [firstPage] = pages;
  if (!firstPage) return undefined;
  const document = readOmeXml(firstPage.description);
  if (document.elsewhere) return refused(firstPage, document, ELSEWHERE);
  const scenes = scenesOf(document, pages, fileName);
  const tissue = scenes.filter(({ aside }) => aside === undefined);
  const numbers = tissue.length > 1 ? { scenes: tissue.map(({ number }) => number) } : {};
  const chosen = scene === undefined ? largest(tissue.length > 0 ? tissue : scenes) : scenes[scene - 1];
  if (scene !== undefined && !chosen)
    return refused(firstPage, document, {
      what: `has ${scenes.length} scenes, none with the number ${scene}`,
      fix: 'name one that it has',
    });
  if (!chosen) return undefined;
  if (!chosen.page) return refused(firstPage, document, { what: chosen.problem ?? 'has no image of its own' });
  const { page } = chosen;
  const { mpp, notes } = spacingOf(chosen.spacing, page);
  const own = new Set(scenes.flatMap(({ pages: all }) => all));
  const chain = pages.filter(other => other.tiled && !own.has(other));
  const hasLevels = page.subDirectories.length > 0;
  const pyramid = fitPyramid(page, hasLevels ? page.subDirectories : chain, {
    spacing: axesOf(mpp),
    bySize: other => !hasLevels && (other.subfileType & 1) === 0,
  });
  return {
    name: 'OME-TIFF',
    levels: pyramid.levels,
    mpp,
    ...(chosen.problem === undefined ? {} : { problem: { what: chosen.problem } }),
    notes: [
      ...notes,
      ...leftOutNotes(pyramid, () => hasLevels, page.lostSubDirectories),
      ...planesNote(chosen),
      ...scenesNotes(scenes, chosen, scene !== undefined),
    ],
    ...numbers,
    properties: properties(page, { objective: document.objective }),
  };
}

const ELSEWHERE = {
  what: 'is a part of an OME-TIFF of several files, described in another one',
  fix: 'convert the set to one OME-TIFF, such as with bfconvert or QuPath',
} as const;

const refused = (page: TiffPage, document: OmeDocument, problem: NonNullable<TiffFormat['problem']>): TiffFormat => ({
  name: 'OME-TIFF',
  levels: [unreduced(page)],
  mpp: undefined,
  problem,
  notes: [],
  properties: properties(page, { objective: document.objective }),
});

/** By the area on the slide, where every scene says its spacing, else by pixels. */
function largest(scenes: readonly OmeScene[]): OmeScene | undefined {
  const readable = scenes.filter(({ page, problem }) => page && problem === undefined);
  const candidates = readable.length > 0 ? readable : scenes;
  const known = candidates.every(({ spacing }) => spacing !== undefined);
  const area = ({ page, spacing }: OmeScene) =>
    page ? page.width * page.height * (known ? meanSpacing(spacing)! ** 2 : 1) : 0;
  return candidates.reduce<OmeScene | undefined>(
    (best, scene) => (best && area(best) >= area(scene) ? best : scene),
    undefined,
  );
}

function planesNote({ planes, plane }: OmeScene): SlideNote[] {
  const { Z, T } = planes;
  const left = [
    ...(Z > 1 ? [`${Z - 1} of ${Z} focal planes (the ${ordinal(plane.Z + 1)} is read)`] : []),
    ...(T > 1 ? [`${T - 1} of ${T} points in time (the first is read)`] : []),
  ];
  return left.length > 0 ? [{ code: 'plane-left-out', message: `left out: ${left.join(', ')}` }] : [];
}

const ordinal = (n: number): string =>
  `${n}${['th', 'st', 'nd', 'rd'][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] ?? 'th'}`;

/** @param named the scene was asked for by its number, so that others of tissue need no word. */
function scenesNotes(scenes: readonly OmeScene[], chosen: OmeScene, named: boolean): SlideNote[] {
  const left = scenes.filter(scene => scene !== chosen && !(named && scene.aside === undefined));
  if (left.length === 0) return [];
  const shown = left.map(
    ({ number, page, spacing, aside }) =>
      `scene ${number} of ${scenes.length}${page ? `, ${sizeOf(page)}${at(spacing)}` : ''}: ${aside ?? 'a slide of its own'}`,
  );
  const message = `left out: ${listOf(shown)}; #${left[0]!.number} behind the file's name reads ${left.length > 1 ? 'the first of them' : 'it'}`;
  return [{ code: 'image-left-out', message }];
}

const at = (spacing: number | AxisSpacing | undefined): string => {
  const mpp = meanSpacing(spacing);
  return mpp === undefined ? '' : ` at ${Number(mpp.toPrecision(4))} µm`;
};
