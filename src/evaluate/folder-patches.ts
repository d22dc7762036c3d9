import { StromaflowError } from '../errors.js';
import { openImageAsSlide } from '../slide/image-source.js';
import { openSlide } from '../slide/open.js';
import { patchRefs, planPatches } from '../slide/plan.js';
import { ReaderPool } from '../slide/reader-pool.js';
import { DEFAULT_TISSUE_RULE } from '../slide/tissue.js';
import { Arena } from '../stage/arena.js';
import { filesByName, isImageFile, isSlideFile, isTiffFile } from './layout-folder.js';
import { Random } from './random.js';

export interface FolderPatchesOptions {
  /** Spacing of the patches, µm/px, and their side in pixels. */
  readonly spacing: number;
  readonly patchSize: number;
  /** Spacing of the files in µm/px; unless given pictures have that of the patches, and slides say it themselves. */
  readonly mpp?: number | undefined;
  /** Most patches, shared out evenly among the files. */
  readonly most: number;
  readonly seed: number;
  /** Told of a file that cannot be read; it is left out. */
  readonly onUnreadable?: (error: unknown) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Patches with tissue, drawn by seed from the pictures and slides of a folder: patchSize × patchSize × 3 bytes RGB each.
 * Throws FILE_NOT_FOUND for a folder without any.
 */
export async function* folderPatches(
  folder: string,
  options: FolderPatchesOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { spacing, patchSize, mpp, most, seed, signal } = options;
  const paths = [...(await filesByName(folder)).values()].filter(path => isImageFile(path) || isSlideFile(path));
  if (paths.length === 0)
    throw new StromaflowError('FILE_NOT_FOUND', `${folder}: no picture and no slide in it`, {
      fix: 'name a folder of H&E pictures (PNG, JPEG, TIFF) or slides, as the model will meet them',
    });
  const random = new Random(seed);
  const files = random.shuffle(paths);
  const arena = new Arena({ slots: 1, patchSize });
  const readers = await ReaderPool.start({ threads: 1, arena });
  try {
    let left = most;
    for (const [i, path] of files.entries()) {
      let share = Math.ceil(left / (files.length - i));
      const plain = isImageFile(path) && !isTiffFile(path);
      try {
        const opened = plain
          ? await openImageAsSlide(path, { mpp: mpp ?? spacing, spacing })
          : await openSlide(path, { mpp, signal });
        const plan = planPatches(opened.info, { spacing, patchSize });
        const slide = await readers.open(opened, plan, DEFAULT_TISSUE_RULE);
        try {
          for (const ref of random.shuffle([...patchRefs(plan)])) {
            if (share === 0) break;
            if ((await slide.read(ref, 0, signal)).outcome !== 'tissue') continue;
            share--;
            left--;
            yield arena.slot(0).slice();
          }
        } finally {
          await slide.close();
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (!options.onUnreadable) throw error;
        options.onUnreadable(error);
      }
    }
  } finally {
    await readers.close();
  }
}
