import type { AxisSpacing } from '../slide.js';
import { meanSpacing } from '../slide-facts.js';
import { plausibleAxes } from './facts.js';
import type { Axis, OmeDocument, OmeImage, OmePlanes } from './ome-xml.js';
import type { TiffPage } from './page.js';
import { fitPyramid } from './pyramid.js';
import { unsupported } from './support.js';

/** One image of an OME-TIFF, with what of it can be read. */
export interface OmeScene {
  /** Place in the document, from 1. */
  readonly number: number;
  /** Its plane that is read; undefined where the file has none. */
  readonly page: TiffPage | undefined;
  /** All its planes. */
  readonly pages: readonly TiffPage[];
  /** How many planes there are, and which one is read, from 0. */
  readonly planes: Readonly<Record<Axis, number>>;
  readonly plane: Readonly<Record<Axis, number>>;
  /** As the document or, where it is silent, the plane's tags state it, µm/px. */
  readonly spacing: number | AxisSpacing | undefined;
  /** Why it cannot be read. */
  readonly problem: string | undefined;
  /** Why it is no slide of its own among the others; undefined: it is one. */
  readonly aside: string | undefined;
}

type Bare = Omit<OmeScene, 'aside'> & { readonly name: string };

/** An image that is this much coarser than the finest, and coarser than any scan, is an overview: µm/px. */
const OVERVIEW = { times: 4, beyond: 2 } as const;
/** Names by which software calls what is no scan. */
const ASSOCIATED = /\b(label|macro|thumb(nail)?|overview|barcode|preview)\b/i;
/** Fields that agree within this (relative) are the same. */
const SAME_FIELD = 0.02;

/**
 * The images of a document, in its order. Set aside are those that cannot be read, labels, macros and overviews (by their
 * names or a spacing far coarser than the finest's), and reduced copies of another one, unless nothing else is there.
 */
export function scenesOf(
  document: OmeDocument,
  pages: readonly TiffPage[],
  fileName: string | undefined,
): readonly OmeScene[] {
  const chain = new Chain(pages);
  const named = new Set(document.images.flatMap(({ planes }) => planes.map(each => each.fileName)));
  // A file of its own may have been renamed.
  const isAlone = document.uuid === undefined && named.size <= 1;
  let cursor = 0;
  const scenes = document.images.map((image, i): Bare => {
    const isHere = (planes: OmePlanes) => isAlone || liesIn(planes, document.uuid, fileName);
    const runs = runsOf(image, document.images.length === 1, cursor, isHere, chain);
    cursor = runs.next;
    return sceneOf(image, i + 1, runs.here, chain);
  });
  // A document without images still describes the file's first one.
  if (scenes.length === 0) return pages.slice(0, 1).map(page => ({ ...lone(page), aside: undefined }));
  const known = scenes.flatMap(({ spacing, problem }) => (problem === undefined ? (meanSpacing(spacing) ?? []) : []));
  const finest = Math.min(...known);
  const readable = scenes
    .filter(({ problem, name }) => problem === undefined && !ASSOCIATED.test(name))
    .toSorted((a, b) => pixelsOf(b) - pixelsOf(a))
    .slice(0, LARGEST);
  return scenes.map(({ name, ...scene }) => ({
    ...scene,
    aside: scenes.length === 1 ? undefined : asideOf({ name, ...scene }, readable, finest),
  }));
}

/** Images whose reduced copies are looked for; a pyramid stored as images has one largest. */
const LARGEST = 16;
const pixelsOf = ({ page }: Bare): number => (page ? page.width * page.height : 0);

function asideOf(scene: Bare, readable: readonly Bare[], finest: number): string | undefined {
  if (scene.problem !== undefined) return scene.problem;
  if (ASSOCIATED.test(scene.name)) return 'a label, macro or overview by its name';
  const mpp = meanSpacing(scene.spacing);
  if (Number.isFinite(finest) && mpp === undefined) return 'its spacing is not stated, as that of others is';
  if (mpp !== undefined && mpp > OVERVIEW.beyond && mpp > OVERVIEW.times * finest) return 'an overview by its spacing';
  const isCopy = readable.some(other => other.number !== scene.number && isReduced(other, scene));
  return isCopy ? 'as far as can be told a reduced copy of another' : undefined;
}

/** True for an image of the same field at lower resolution: earlier versions of Bio-Formats store levels so. */
function isReduced(finer: Bare, scene: Bare): boolean {
  if (!finer.page || !scene.page) return false;
  if (finer.page.width <= scene.page.width || finer.page.height <= scene.page.height) return false;
  const [fine, coarse] = [finer, scene].map(({ spacing }) => meanSpacing(spacing));
  if (fine === undefined || coarse === undefined) return fitPyramid(finer.page, [scene.page]).levels.length === 2;
  const same = (a: number, b: number) => Math.abs((a * fine) / (b * coarse) - 1) <= SAME_FIELD;
  return same(finer.page.width, scene.page.width) && same(finer.page.height, scene.page.height);
}

/** Planes of an image that lie one behind the other in the chain; `first` is the place of the first among all of them. */
interface Run {
  readonly first: number;
  readonly ifd: number;
  readonly count: number;
}

const START = { Z: 0, C: 0, T: 0 } as const;

function runsOf(
  image: OmeImage,
  alone: boolean,
  cursor: number,
  isHere: (planes: OmePlanes) => boolean,
  chain: Chain,
): { readonly here: readonly Run[]; readonly next: number } {
  const ifds = image.planes.map(({ ifd }) => ifd ?? (alone ? 0 : cursor));
  const inPage = chain.samplesAt(image.planes.length === 0 ? [cursor] : ifds);
  const planes = planesOf(image, inPage);
  const all = planes.Z * planes.C * planes.T;
  if (image.planes.length === 0) return { here: [{ first: 0, ifd: cursor, count: all }], next: cursor + all };
  const here: Run[] = [];
  let [next, place] = [cursor, 0];
  for (const data of image.planes) {
    const first = data.first
      ? placeOf({ ...data.first, C: Math.floor(data.first.C / inPage) }, image.order, planes)
      : place;
    const count = data.count ?? (data.ifd === undefined ? all : 1);
    place = first + count;
    if (!isHere(data)) continue;
    const ifd = data.ifd ?? (alone ? 0 : next);
    here.push({ first, ifd, count });
    next = Math.max(next, ifd + count);
  }
  return { here, next };
}

/** Planes of an image that are directories of their own. */
const planesOf = ({ size: { Z, C, T } }: OmeImage, inPage: number): Record<Axis, number> => ({
  Z,
  C: Math.max(1, Math.ceil(C / inPage)),
  T,
});

/** A plane says by UUID which file it is in; by name where this file has no UUID. */
function liesIn({ uuid, fileName }: OmePlanes, own: string | undefined, ownName: string | undefined): boolean {
  if (uuid !== undefined && own !== undefined) return uuid === own;
  return fileName === undefined || ownName === undefined || fileName === ownName;
}

function sceneOf(image: OmeImage, number: number, runs: readonly Run[], chain: Chain): Bare {
  const planes = planesOf(image, chain.samplesAt(runs.map(({ ifd }) => ifd)));
  const stored = runs.flatMap(run => chain.planesOf(run, image.order, planes));
  // In the middle a slide is sharp, if anywhere; another plane only where that one lies in another file.
  const middle = Math.floor((planes.Z - 1) / 2);
  const off = ({ plane }: StoredPlane) => (plane.T + plane.C) * planes.Z + Math.abs(plane.Z - middle);
  const read = stored.reduce<StoredPlane | undefined>(
    (best, found) => (best && off(best) <= off(found) ? best : found),
    undefined,
  );
  return {
    number,
    name: image.name,
    page: read?.page,
    pages: stored.map(({ page }) => page),
    planes,
    plane: read?.plane ?? START,
    spacing: plausibleAxes(image.spacing) ?? plausibleAxes(read?.page.spacing),
    problem: problemOf(read?.page, image, planes.C),
  };
}

interface StoredPlane {
  readonly page: TiffPage;
  readonly plane: Readonly<Record<Axis, number>>;
}

/** Planes that a document may name, together: a few times as many as a file may have directories. */
const MAX_PLANES = 16_384;

/** The images of the main chain by their place. */
class Chain {
  readonly #pages: ReadonlyMap<number, TiffPage>;
  readonly #length: number;
  #left = MAX_PLANES;

  constructor(pages: readonly TiffPage[]) {
    this.#pages = new Map(pages.map(page => [page.index, page]));
    this.#length = (pages.at(-1)?.index ?? -1) + 1;
  }

  /** Samples a pixel of the first of some places that there is. */
  samplesAt(ifds: readonly number[]): number {
    for (const ifd of ifds) {
      const page = this.#pages.get(ifd);
      if (page) return Math.max(1, page.samplesPerPixel);
    }
    return 1;
  }

  planesOf({ first, ifd, count }: Run, order: readonly Axis[], planes: Readonly<Record<Axis, number>>): StoredPlane[] {
    const found: StoredPlane[] = [];
    const end = Math.min(ifd + count, this.#length, ifd + this.#left);
    for (let at = ifd; at < end; at++) {
      this.#left -= 1;
      const page = this.#pages.get(at);
      if (page) found.push({ page, plane: planeAt(first + at - ifd, order, planes) });
    }
    return found;
  }
}

/** Place of a plane among all of an image, the first axis fastest. */
function placeOf(
  plane: Readonly<Record<Axis, number>>,
  order: readonly Axis[],
  planes: Readonly<Record<Axis, number>>,
): number {
  return order.reduceRight((place, axis) => place * planes[axis] + plane[axis], 0);
}

function planeAt(place: number, order: readonly Axis[], planes: Readonly<Record<Axis, number>>): Record<Axis, number> {
  const plane = { ...START } as Record<Axis, number>;
  let left = place;
  for (const axis of order) {
    plane[axis] = left % planes[axis];
    left = Math.floor(left / planes[axis]);
  }
  return plane;
}

function problemOf(page: TiffPage | undefined, image: OmeImage, channels: number): string | undefined {
  if (!page) return 'its pixels are in another file';
  if (page.fault) return 'its directory is damaged';
  return channels > 1 ? `stores its ${image.size.C} channels as separate images` : unsupported(page);
}

const lone = (page: TiffPage): Omit<OmeScene, 'aside'> => ({
  number: 1,
  page,
  pages: [page],
  planes: { Z: 1, C: 1, T: 1 },
  plane: { Z: 0, C: 0, T: 0 },
  spacing: plausibleAxes(page.spacing),
  problem: undefined,
});
