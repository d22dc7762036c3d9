import { unreadable } from '../tiff/probe.js';

/** One image of a data set. */
export interface IndexEntry {
  readonly axes: Readonly<Record<string, number | string>>;
  readonly file: string;
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  readonly type: number;
  /** 0: none, the only kind there is. */
  readonly compression: number;
  /** Position behind it in the index. */
  readonly end: number;
}

/** All axes but the place, and one more: images of one focal plane, channel and time have this in common. */
export function planeOf({ axes }: Pick<IndexEntry, 'axes'>, without = ''): string {
  const left = Object.entries(axes).filter(([name]) => name !== 'row' && name !== 'column' && name !== without);
  return JSON.stringify(left.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** True for an image that says where it lies. */
export const hasPlace = ({ axes }: Pick<IndexEntry, 'axes'>): boolean =>
  Number.isSafeInteger(axes['row']) && Number.isSafeInteger(axes['column']);

/**
 * The plane that is read of several: the middle one by the axis `z`, of an even number the lower of the two; by all other axes that
 * of the first image that has a place.
 *
 * @returns undefined where no image has one.
 */
export function chosenPlane(entries: readonly IndexEntry[]): { plane: string; planes: readonly string[] } | undefined {
  const placed = entries.filter(hasPlace);
  const [first] = placed;
  if (!first) return undefined;
  const planes = new Map(placed.map(entry => [planeOf(entry), entry]));
  const beside = [...planes.values()].filter(entry => planeOf(entry, 'z') === planeOf(first, 'z'));
  const depths = beside.filter(({ axes: { z } }) => typeof z === 'number');
  const sorted = depths.toSorted((a, b) => Number(a.axes['z']) - Number(b.axes['z']));
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] ?? first;
  return { plane: planeOf(middle), planes: [...planes.keys()] };
}

/** Longer texts are damage. */
const MAX_TEXT = 65_536;
const NUMBERS = 8;

/**
 * Reads the entries of NDTiff.index from a position on (NDTiffStorage README): length and text of the axes, length and text
 * of the file's name, eight 32-bit numbers. Stops where an entry is not whole, or where a writer that reserved the file
 * has not written: an entry's length is then 0.
 *
 * @throws SLIDE_UNREADABLE for entries that cannot be.
 */
export function readIndex(path: string, bytes: Buffer, from: number): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (;;) {
    const axes = readText(path, bytes, entries.at(-1)?.end ?? from);
    const file = axes && readText(path, bytes, axes.end);
    if (!axes || !file || file.end + NUMBERS * 4 > bytes.length) return entries;
    const number = (index: number) => bytes.readUInt32LE(file.end + index * 4);
    const [offset, width, height, type, compression] = [number(0), number(1), number(2), number(3), number(4)];
    // Of reserved bytes behind a name that is being written nothing is there yet.
    if (offset === 0 || width === 0 || height === 0) return entries;
    const end = file.end + NUMBERS * 4;
    entries.push({ axes: parseAxes(path, axes.text), file: file.text, offset, width, height, type, compression, end });
  }
}

function readText(path: string, bytes: Buffer, at: number): { text: string; end: number } | undefined {
  if (at + 4 > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  if (length === 0) return undefined;
  if (length > MAX_TEXT) throw unreadable(path, `an entry claims a text of ${length} bytes`);
  const end = at + 4 + length;
  if (end > bytes.length) return undefined;
  return { text: bytes.toString('utf8', at + 4, end), end };
}

function parseAxes(path: string, text: string): IndexEntry['axes'] {
  try {
    const axes: unknown = JSON.parse(text);
    if (typeof axes === 'object' && axes !== null) return axes as IndexEntry['axes'];
  } catch {
    // Said below.
  }
  throw unreadable(path, 'an entry has no axes');
}

/** What the summary metadata says of a slide; lengths in pixels. */
export interface NdTiffSummary {
  /** Undefined where it does not say the size of the whole: Micro-Manager itself writes none. */
  readonly size:
    | { readonly width: number; readonly height: number; readonly tileWidth: number; readonly tileHeight: number }
    | undefined;
  /** By how much stored images are wider and higher than the tiles they show. */
  readonly overlap: readonly [x: number, y: number];
  readonly mpp: number | undefined;
}

const SUMMARY_KEY = 2_355_492;
const SUMMARY_AT = 28;
/** Longest sides, in pixels, of a slide and of an image of it. */
export const MAX_SIDE = 2 ** 24;
export const MAX_IMAGE = 8192;

/**
 * Reads the summary metadata at the head of a part: Width and Height of the slide, TileWidth and TileHeight of a tile without
 * its overlap, GridPixelOverlapX and Y, PixelSize_um.
 *
 * @throws SLIDE_UNREADABLE while it is not there, or for sizes that cannot be.
 */
export function readSummary(path: string, head: Buffer): NdTiffSummary {
  if (head.length < SUMMARY_AT || head.readUInt32LE(20) !== SUMMARY_KEY)
    throw unreadable(path, 'has no summary metadata');
  const length = head.readUInt32LE(24);
  if (length === 0 || SUMMARY_AT + length > head.length) throw unreadable(path, 'its summary metadata is not whole');
  const fields = parseAxes(path, head.toString('utf8', SUMMARY_AT, SUMMARY_AT + length));
  const side = (name: string, least: number, most: number, otherwise?: number): number => {
    const value = fields[name] ?? otherwise;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw unreadable(path, `its summary metadata lacks ${name}`);
    return value;
  };
  const mpp = fields['PixelSize_um'];
  // Width and Height alone are a camera's.
  const stated = fields['TileWidth'] !== undefined || fields['TileHeight'] !== undefined;
  return {
    size: stated
      ? {
          width: side('Width', 1, MAX_SIDE),
          height: side('Height', 1, MAX_SIDE),
          tileWidth: side('TileWidth', 1, MAX_IMAGE),
          tileHeight: side('TileHeight', 1, MAX_IMAGE),
        }
      : undefined,
    overlap: [side('GridPixelOverlapX', 0, MAX_IMAGE, 0), side('GridPixelOverlapY', 0, MAX_IMAGE, 0)],
    mpp: typeof mpp === 'number' && mpp > 0 && Number.isFinite(mpp) ? mpp : undefined,
  };
}
