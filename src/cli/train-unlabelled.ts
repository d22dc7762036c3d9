import { realpath } from 'node:fs/promises';
import { readerThreads } from '../../pipelines/parts.js';
import type { Config } from '../config/options.js';
import { toStromaflowError } from '../errors.js';
import { ImageSums } from '../evaluate/seen.js';
import { findUnlabelled, type Picture } from '../evaluate/unlabelled.js';
import { openSlide } from '../slide/open.js';
import type { PatchIndex } from '../train/patch-index.js';
import type { RunRecipe } from '../train/recipe.js';
import type { SampleSetting } from '../train/sample-reader.js';
import { SampleThreads } from '../train/sample-threads.js';
import { indexUnlabelled, type UnlabelledIndex } from '../train/unlabelled-index.js';
import type { CommandContext } from './command.js';
import type { Faults } from './faults.js';

export interface UnlabelledSet {
  readonly grid: { readonly spacing: number; readonly patchSize: number };
  readonly recipe: RunRecipe;
  /** The labelled set, whose images are not learned from without their labels. */
  readonly labelled: Pick<PatchIndex, 'items'>;
  /** With the rule that tells tissue. */
  readonly setting: SampleSetting;
  readonly faults: Faults;
  readonly onProgress: (patches: number) => void;
}

/**
 * What `--unlabelled` names; undefined where it is not given.
 * @throws what findUnlabelled throws
 */
export async function findPictures(
  { unlabelled, mpp }: Pick<Config, 'unlabelled' | 'mpp'>,
  faults: Faults,
): Promise<Picture[] | undefined> {
  if (unlabelled === undefined) return undefined;
  return findUnlabelled(unlabelled, mpp, error => faults.add(toStromaflowError(error, 'SLIDE_UNREADABLE')));
}

/**
 * Looks at them.
 * @throws what indexUnlabelled throws
 */
export async function openUnlabelled(
  { config, signal, terminal }: Pick<CommandContext, 'config' | 'signal' | 'terminal'>,
  found: readonly Picture[] | undefined,
  { grid, recipe, labelled, setting, faults, onProgress }: UnlabelledSet,
): Promise<UnlabelledIndex | undefined> {
  if (!found) return undefined;
  const onFault = (error: unknown): undefined => void faults.add(toStromaflowError(error, 'SLIDE_UNREADABLE'));
  const pictures = await others(found, labelled);
  if (pictures.length < found.length)
    terminal.line(`unlabelled ${found.length - pictures.length} pictures are of the set itself: left out`);
  const count = readerThreads(config);
  const threads = new SampleThreads({ threads: count, setting, side: grid.patchSize, slots: 0 });
  try {
    const index = await indexUnlabelled(pictures, {
      ...{ ...grid, openSlide, signal, onFault, onProgress },
      context: recipe.augment.includes('scale'),
      look: (sample, col, row) => threads.look({ sample, col, row }),
      atOnce: 2 * count,
      firstItem: labelled.items.length,
    });
    const { items, patches, empty } = index;
    terminal.line(`unlabelled ${patches.length} patches of ${items.length} pictures, ${empty} empty ones left out`);
    return index;
  } finally {
    await threads.close();
  }
}

/** Those that are none of the set's images, by content, and by place where they are too large to compare. */
async function others(pictures: readonly Picture[], { items }: Pick<PatchIndex, 'items'>): Promise<Picture[]> {
  const sums = new ImageSums();
  const marksOf = async (picture: Pick<Picture, 'imagePath'>): Promise<string[]> => {
    const [sum, place] = await Promise.all([sums.of(picture), realpath(picture.imagePath).catch(() => undefined)]);
    return [sum, place].filter(mark => mark !== undefined);
  };
  const known = new Set<string>();
  for (const { image } of items) for (const mark of await marksOf(image)) known.add(mark);
  const left: Picture[] = [];
  for (const picture of pictures) {
    if (!(await marksOf(picture)).some(mark => known.has(mark))) left.push(picture);
  }
  return left;
}
