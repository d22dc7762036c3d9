import type { SlideNote } from '../note.js';
import { fitLevel, type LevelSize } from '../pyramid.js';
import { type Copy, chooseImage, groupBy, type Image, imagesOf } from './images.js';
import type { InstanceHeader } from './instance.js';

/** One level of a slide: the instance that holds it, or the parts of its concatenation, in their order. */
export interface ChosenLevel<T extends InstanceHeader> {
  readonly instances: readonly T[];
  /** Pixels of the slide; its last frames may reach further. */
  readonly width: number;
  readonly height: number;
  readonly downsample: number;
}

/** The levels of a slide, finest first, and what is not one of them. */
export interface ChosenLevels<T extends InstanceHeader> {
  readonly levels: readonly ChosenLevel<T>[];
  readonly notes: readonly SlideNote[];
  /** Files of one UID: what they are to each other shows in their frames. */
  readonly copies: readonly Copy<T>[];
}

/**
 * Which of a series' images are the slide's levels. The largest that can be read is the finest; one of another frame of reference
 * shows something else. Of several of one size one is read (chooseImage). A smaller one is a level when it fits (fitLevel) and
 * can be read.
 *
 * @param instances one at least, none of a label or the like.
 * @param named the file that was asked for, among two that have one UID.
 * @throws SLIDE_UNSUPPORTED when the finest level cannot be read.
 */
export function chooseLevels<T extends InstanceHeader>(instances: readonly T[], named?: string): ChosenLevels<T> {
  const { images, copies } = imagesOf(instances, named);
  const [largest] = images;
  const frame = largest![0]!.facts.frameOfReference;
  const here = images.filter(([{ facts }]) => [frame, ''].includes(facts.frameOfReference) || frame === '');
  const notes: SlideNote[] = [];
  if (here.length < images.length) notes.push(elsewhere(images.length - here.length));
  const sizes = groupBy(here, ([{ facts }]) => `${facts.matrixColumns} × ${facts.matrixRows}`);
  const levels: ChosenLevel<T>[] = [];
  let finest: Image<T> | undefined;
  for (const [size, of] of sizes) {
    const { image, notes: left } = chooseImage(of, finest);
    const { unsupported } = image[0];
    if (finest === undefined) {
      if (unsupported) throw unsupported;
      finest = image;
      const { width, height } = sizeOf(image);
      levels.push({ instances: image, width, height, downsample: 1 });
      notes.push(...left);
      continue;
    }
    const fitted = fitLevel(sizeOf(finest), sizeOf(image));
    if (!fitted) notes.push(levelNote(size, 'neither its spacing nor its size fits the finest level'));
    else if (unsupported) notes.push(levelNote(size, unsupported.message.replace(/^.*\.[^:]*: /, '')));
    else if (levels.some(({ downsample }) => isAlike(downsample, fitted.downsample)))
      notes.push(levelNote(size, `another level is ${rounded(fitted.downsample)} times coarser than the finest, too`));
    else levels.push({ instances: image, ...fitted });
  }
  return { levels: levels.toSorted((a, b) => a.downsample - b.downsample), notes, copies };
}

function sizeOf([{ facts, spacing }]: Image<InstanceHeader>): LevelSize {
  const { matrixColumns: width, matrixRows: height, columns: tileWidth, rows: tileHeight } = facts;
  return { width, height, tileWidth, tileHeight, spacing: spacing?.stated ? spacing : undefined };
}

/** Two levels of one downsample but for rounding. */
const isAlike = (one: number, other: number): boolean => Math.abs(one / other - 1) < 0.01;

const rounded = (value: number): number => Number(value.toPrecision(4));

const levelNote = (size: string, why: string): SlideNote => ({
  code: 'level-left-out',
  message: `a level of ${size} pixels is not read: ${why}`,
});

const elsewhere = (count: number): SlideNote => ({
  code: 'image-left-out',
  message:
    `${count} ${count === 1 ? 'image' : 'images'} of another frame of reference than the largest ${count === 1 ? 'is' : 'are'} not read: ` +
    'put them into a folder of their own',
});
