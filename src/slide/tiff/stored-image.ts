import { closeSync, fstatSync, openSync } from 'node:fs';
import { areaOf, disjoint, type PixelRectangle } from '../rectangles.js';
import { SAFELY } from '../regular-file.js';
import { isUnwritten } from '../unwritten.js';
import { isTiff, type ProbedDirectory, probeTiff, readBytes, readNumbers, type TiffProbe } from './probe.js';

/** What an image library does not tell of a TIFF that is one picture. */
export interface StoredImage {
  /** It has more samples than colours, and no tag calls one of them its transparency. */
  readonly hasUnnamedSample: boolean;
  /** Strips and tiles into which nobody wrote: listed without a place, or zeros that are not compressed. Image pixels. */
  readonly unwritten: readonly PixelRectangle[];
}

const TAG = { width: 256, height: 257, compression: 259, photometric: 262, samples: 277, extra: 338 } as const;
const STRIPS = { offsets: 273, counts: 279, width: undefined, height: 278 } as const;
const TILES = { offsets: 324, counts: 325, width: 322, height: 323 } as const;
const UNCOMPRESSED = 1;
/** White is zero, black is zero, a palette: one sample. */
const ONE_SAMPLE = [0, 1, 3];

/** The first image of a TIFF; undefined of another file, and of one that is damaged, which its decoder says. */
export function storedImage(path: string): StoredImage | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, SAFELY);
    if (!isTiff(fd)) return undefined;
    const probe = probeTiff(fd, path, fstatSync(fd).size);
    const directory = probe.directories[0]!;
    const named = numbers(probe, directory, TAG.extra).some(kind => kind === 1 || kind === 2);
    const colours = ONE_SAMPLE.includes(first(probe, directory, TAG.photometric) ?? 2) ? 1 : 3;
    const hasUnnamedSample = !named && (first(probe, directory, TAG.samples) ?? 1) > colours;
    return { hasUnnamedSample, unwritten: unwrittenParts(probe, directory) };
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function unwrittenParts(probe: TiffProbe, directory: ProbedDirectory): PixelRectangle[] {
  const tags = directory.entries.has(TILES.offsets) ? TILES : STRIPS;
  const [width = 0, height = 0] = [first(probe, directory, TAG.width), first(probe, directory, TAG.height)];
  const across = (tags.width && first(probe, directory, tags.width)) || width;
  const down = Math.min(first(probe, directory, tags.height) ?? height, height);
  const isStored = (first(probe, directory, TAG.compression) ?? UNCOMPRESSED) === UNCOMPRESSED;
  const offsets = numbers(probe, directory, tags.offsets);
  const counts = numbers(probe, directory, tags.counts);
  const cols = Math.ceil(width / across);
  const places = cols * Math.ceil(height / down);
  const parts: PixelRectangle[] = [];
  for (const [piece, offset] of offsets.entries()) {
    const count = counts[piece] ?? 0;
    const isZero = () => offset + count <= probe.size && isUnwritten(readBytes(probe.fd, offset, count));
    const isEmpty = offset === 0 || count === 0 || (isStored && isZero());
    if (!isEmpty) continue;
    // Planes of their own come one after the other.
    const place = piece % places;
    const [x, y] = [(place % cols) * across, Math.floor(place / cols) * down];
    parts.push({ x, y, width: Math.min(across, width - x), height: Math.min(down, height - y) });
  }
  return parts;
}

/** What of some parts lies inside of an area, from the area's corner on; 'missing' when that is all of it. */
export function gapsWithin(parts: readonly PixelRectangle[], area: PixelRectangle): 'missing' | PixelRectangle[] {
  const { x, y, width, height } = area;
  const inside = parts.map(part => ({ ...part, x: part.x - x, y: part.y - y }));
  const gaps = disjoint(inside, width, height);
  return areaOf(gaps) === width * height ? 'missing' : gaps;
}

function numbers(probe: TiffProbe, { entries }: ProbedDirectory, tag: number): Float64Array {
  const entry = entries.get(tag);
  return entry ? readNumbers(probe, entry) : new Float64Array();
}

const first = (probe: TiffProbe, directory: ProbedDirectory, tag: number): number | undefined =>
  numbers(probe, directory, tag)[0];
