import type { SlideNote } from '../note.js';
import type { InstanceHeader } from './instance.js';
import { brightfieldPath, countPlanes, middleOf } from './planes.js';

/** An image of a slide: an instance, or the parts of a concatenation in their order. */
export type Image<T extends InstanceHeader> = readonly [T, ...T[]];

/** A file that has the SOP Instance UID of another, which is read instead. */
export interface Copy<T extends InstanceHeader> {
  readonly read: T;
  readonly copy: T;
}

/**
 * The images that instances make, largest first; those of one size by their number. Of files of one SOP Instance UID one counts: the
 * one that was named, else the first by name.
 */
export function imagesOf<T extends InstanceHeader>(
  instances: readonly T[],
  named: string | undefined,
): { readonly images: readonly Image<T>[]; readonly copies: readonly Copy<T>[] } {
  const rank = ({ path }: T): number => (path === named ? 0 : 1);
  const files = instances.toSorted((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
  const byUid = groupBy(files, ({ facts, path }) => facts.instance || path);
  const copies = [...byUid.values()].flatMap(([read, ...others]) => others.map(copy => ({ read, copy })));
  const groups = groupBy(
    [...byUid.values()].map(([read]) => read),
    ({ facts, path }) =>
      [facts.matrixColumns, facts.matrixRows, facts.concatenation || facts.instance || path].join(' '),
  );
  const images = [...groups.values()].map(
    parts => parts.toSorted((a, b) => a.facts.part - b.facts.part || inOrder(a, b)) as unknown as Image<T>,
  );
  const bySize = ([a]: Image<T>, [b]: Image<T>) =>
    b.facts.matrixColumns - a.facts.matrixColumns || b.facts.matrixRows - a.facts.matrixRows || inOrder(a, b);
  return { images: images.sort(bySize), copies };
}

/** Items with one key, in their order; keys in the order of the first of each. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, [T, ...T[]]> {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

const inOrder = (a: InstanceHeader, b: InstanceHeader): number =>
  a.facts.instanceNumber - b.facts.instanceNumber || (a.path < b.path ? -1 : 1);

/**
 * Which of several images of one size is read: one that can be; taken by transmitted light, else by the path of the first; in
 * the middle focal plane, of an even number the lower of the two, or for a coarser level the plane next to that of the finest; one
 * that was not computed; of the finest's pyramid; the first by its number.
 *
 * @param of in their order.
 * @param finest image, for coarser levels.
 */
export function chooseImage<T extends InstanceHeader>(
  of: readonly Image<T>[],
  finest: Image<T> | undefined,
): { readonly image: Image<T>; readonly notes: readonly SlideNote[] } {
  const readable = of.some(([{ unsupported }]) => !unsupported) ? of.filter(([{ unsupported }]) => !unsupported) : of;
  const path = pathOf(readable.find(([first]) => brightfieldPath(first) !== undefined)?.[0] ?? readable[0]![0]);
  const lit = readable.filter(([first]) => path === '' || ['', path].includes(pathOf(first)));
  const depths = [...new Set(lit.map(depthOf).filter(depth => !Number.isNaN(depth)))].sort((a, b) => a - b);
  const depth = wantedDepth(depths, finest);
  const inPlane = depth === undefined ? lit : lit.filter(image => depthOf(image) === depth);
  const image = inPlane.toSorted((a, b) => worth(a[0], finest) - worth(b[0], finest))[0]!;
  const notes: SlideNote[] = [];
  const { matrixColumns, matrixRows } = image[0].facts;
  const size = `of ${matrixColumns} × ${matrixRows} pixels`;
  const note = (code: SlideNote['code'], count: number, text: string) => {
    if (count > 0) notes.push({ code, message: `${count} ${count === 1 ? 'image' : 'images'} ${size} ${text}` });
  };
  note('instance-left-out', of.length - readable.length, 'cannot be read, and another is read instead');
  note('image-left-out', readable.length - lit.length, 'taken by another light path left out');
  const others = depths.filter(one => one !== depth);
  note(
    'plane-left-out',
    lit.length - inPlane.length,
    `in other focal planes left out (z ${others.join(', ')}); the ${finest ? 'one next to the finest level’s' : 'middle one'} is read, z ${depth}`,
  );
  note(
    'instance-left-out',
    inPlane.length - 1,
    'of the same place and plane left out; the first by its number is read',
  );
  return { image, notes };
}

/** Whose light path an image shows; '' where it does not say. */
const pathOf = ({ facts: { paths } }: InstanceHeader): string => paths.map(({ id }) => id).join('\n');

/** Where an image lies in depth; NaN for one that does not say, or has several planes of its own. */
function depthOf(image: Image<InstanceHeader>): number {
  const [{ facts }] = image;
  if (facts.planes > 1 && countPlanes(image) > 1) return Number.NaN;
  return Number.isNaN(facts.depth) ? (facts.depths[0] ?? Number.NaN) : facts.depth;
}

function wantedDepth(depths: readonly number[], finest: Image<InstanceHeader> | undefined): number | undefined {
  if (depths.length === 0) return undefined;
  const of = finest ? depthOf(finest) : Number.NaN;
  if (Number.isNaN(of)) return middleOf(depths);
  return depths.toSorted((a, b) => Math.abs(a - of) - Math.abs(b - of) || a - b)[0];
}

/** Less is better. */
function worth({ facts }: InstanceHeader, finest: Image<InstanceHeader> | undefined): number {
  const pyramid = finest?.[0].facts.pyramid ?? '';
  const isOther = pyramid !== '' && facts.pyramid !== '' && facts.pyramid !== pyramid;
  return (isOther ? 2 : 0) + (!finest && (facts.resampled || facts.derived) ? 1 : 0);
}
