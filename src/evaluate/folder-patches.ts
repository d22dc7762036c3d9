import { stat } from 'node:fs/promises';
import { Arena } from '../arena.js';
import { StromaflowError } from '../errors.js';
import { Random } from '../random.js';
import { isFull, isWhole } from '../read/full-patch.js';
import { patchRefs, planPatches } from '../read/plan.js';
import { ReaderPool } from '../read/reader-pool.js';
import { DEFAULT_TISSUE_RULE } from '../read/tissue.js';
import { openImageAsSlide } from '../slide/image/image-source.js';
import { openSlide } from '../slide/open.js';
import { filesByName, isImageFile, isSlideFile, isTiffFile } from './layout-folder.js';

export interface FolderPatchesOptions {
  /** Spacing of the patches, µm/px, and their side in pixels. */
  readonly spacing: number;
  readonly patchSize: number;
  /** Spacing of the files in µm/px; unless given pictures have that of the patches, and slides say it themselves. */
  readonly mpp?: number | undefined;
  /** Most patches, shared out evenly among the files. */
  readonly most: number;
  readonly seed: number;
  /**
   * Only patches that lie wholly inside the slide and show next to no glass, at any place of a grid of a quarter of their side, so
   * that small pictures give some; patches of the slide's grid with any tissue unless given.
   */
  readonly full?: boolean;
  /** Which files are taken; all unless given. */
  readonly only?: (path: string) => boolean;
  /** Patches a file gives in each round, so that whoever stops early has as many of each; its whole share unless given. */
  readonly round?: number;
  /** Told of a file that cannot be read; it is left out. */
  readonly onUnreadable?: (error: unknown) => void;
  /** Told of a file the first time it gives a patch. */
  readonly onUsed?: (path: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Patches looked at for each that is wanted, before a file counts as one without. */
const PATIENCE = 100;

/** A file, and how far its patches, shuffled by its own seed, have been drawn. */
interface Drawn {
  readonly path: string;
  readonly seed: number;
  at: number;
}

/**
 * Patches with tissue, drawn by seed from pictures and slides: patchSize × patchSize × 3 bytes RGB each.
 *
 * @param images a folder, a picture or a slide, or several of them with commas between
 * @throws FILE_NOT_FOUND where there is none, or none that is to be taken
 */
export async function* folderPatches(
  images: string,
  options: FolderPatchesOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { patchSize, most, seed, round, signal } = options;
  const random = new Random(seed);
  const files = (await filesOf(images)).filter(options.only ?? (() => true));
  if (files.length === 0) throw new StromaflowError('FILE_NOT_FOUND', `${images}: none of its pictures is to be taken`);
  let open: Drawn[] = random.shuffle(files).map(path => ({ path, seed: random.next(), at: 0 }));
  const arena = new Arena({ slots: 1, patchSize });
  const readers = await ReaderPool.start({ threads: 1, arena });
  try {
    for (let left = most; left > 0 && open.length > 0; ) {
      const again: Drawn[] = [];
      for (const [i, file] of open.entries()) {
        const share = Math.min(left, round ?? Math.ceil(left / (open.length - i)));
        let given = 0;
        try {
          for await (const patch of patchesOf(file, share, readers, arena, options)) {
            if (given++ === 0) options.onUsed?.(file.path);
            left--;
            yield patch;
          }
        } catch (error) {
          signal?.throwIfAborted();
          if (!options.onUnreadable) throw error;
          options.onUnreadable(error);
          continue;
        }
        if (given === share) again.push(file);
      }
      open = again;
    }
  } finally {
    await readers.close();
  }
}

async function* patchesOf(
  file: Drawn,
  share: number,
  readers: ReaderPool,
  arena: Arena,
  { spacing, patchSize, mpp, full = false, signal }: FolderPatchesOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { path, seed } = file;
  const plain = isImageFile(path) && !isTiffFile(path);
  const opened = plain
    ? await openImageAsSlide(path, { mpp: mpp ?? spacing, spacing })
    : await openSlide(path, { mpp, signal });
  const margin = full ? (patchSize - Math.max(32, (patchSize >> 7) << 5)) / 2 : 0;
  const plan = planPatches(opened.info, { spacing, patchSize, margin });
  const slide = await readers.open(opened, plan, DEFAULT_TISSUE_RULE);
  try {
    const refs = new Random(seed).shuffle([...patchRefs(plan)].filter(ref => !full || isWhole(plan, ref)));
    const end = Math.min(refs.length, file.at + share * PATIENCE);
    for (let left = share; left > 0 && file.at < end; ) {
      if ((await slide.read(refs[file.at++]!, 0, signal)).outcome !== 'tissue') continue;
      const patch = arena.slot(0).slice();
      if (full && !isFull(patch, patchSize)) continue;
      left--;
      yield patch;
    }
  } finally {
    await slide.close();
  }
}

/** Pictures and slides that are named, or lie in the folders that are. */
async function filesOf(images: string): Promise<string[]> {
  const usable = (path: string) => isImageFile(path) || isSlideFile(path);
  // A name may have a comma in it.
  const named = (await exists(images)) ? [images] : images.split(',').map(name => name.trim());
  const files: string[] = [];
  for (const path of named) {
    const inside = [...(await filesByName(path)).values()].filter(usable);
    if (inside.length > 0) files.push(...inside);
    else if (usable(path) && (await exists(path))) files.push(path);
    else
      throw new StromaflowError('FILE_NOT_FOUND', `${path}: no picture and no slide in it`, {
        fix: 'name folders of H&E pictures (PNG, JPEG, TIFF) or slides, as the model will meet them',
      });
  }
  return [...new Set(files)];
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
