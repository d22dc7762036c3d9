import { createHash } from 'node:crypto';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { type OpenItemOptions, openItem } from '../evaluate/open-item.js';
import type { Picture } from '../evaluate/unlabelled.js';
import { planPatches } from '../read/plan.js';
import type { OpenedSlide } from '../slide/slide.js';
import { contextOf, type IndexedPatch, lookAtAll, type PatchIndexOptions } from './patch-index.js';
import type { SampleSource } from './sample-reader.js';

/** What a run learns from without a truth. */
export interface UnlabelledIndex {
  readonly items: readonly { readonly picture: Picture; readonly sample: SampleSource }[];
  /** Those that show tissue. */
  readonly patches: readonly IndexedPatch[];
  /** How many do not, or are not stored. */
  readonly empty: number;
  /** SHA-256, hex; see PatchIndex.hash. */
  readonly hash: string;
}

export interface UnlabelledOptions
  extends OpenItemOptions,
    Pick<PatchIndexOptions, 'patchSize' | 'context' | 'look' | 'atOnce' | 'onProgress' | 'signal'> {
  /** SampleSource.item of the first picture; those of labelled images are below it. */
  readonly firstItem: number;
  /** Told of each picture that cannot be opened and is left out. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Looks at every patch of unlabelled pictures once.
 * @throws LABELS_INVALID where none shows tissue; what reading throws
 */
export async function indexUnlabelled(
  pictures: readonly Picture[],
  options: UnlabelledOptions,
): Promise<UnlabelledIndex> {
  const { spacing, patchSize, context, firstItem, onFault, onProgress, signal } = options;
  const hash = createHash('sha256');
  const items: { picture: Picture; sample: SampleSource }[] = [];
  const margin = context ? contextOf(patchSize) : 0;
  for (const picture of pictures) {
    signal.throwIfAborted();
    const opened = await open(picture, options).catch(onFault);
    if (!opened) continue;
    const { info, source } = opened;
    const plan = planPatches(info, { spacing, patchSize: patchSize + 2 * margin, margin });
    items.push({ picture, sample: { item: firstItem + items.length, info, source, plan } });
    hash.update(`${info.fingerprint} ${plan.width} ${plan.height}\n`);
  }
  const patches: IndexedPatch[] = [];
  let empty = 0;
  for await (const { patch, outcome } of lookAtAll(items, () => 'unlabelled' as const, options)) {
    hash.update(`${Object.values(patch).join(' ')} ${outcome}\n`);
    onProgress?.(patches.length + empty + 1);
    if (outcome === 'tissue') patches.push(patch);
    else empty++;
  }
  if (patches.length === 0)
    throw new StromaflowError('LABELS_INVALID', 'no unlabelled patch shows tissue', {
      fix: 'give other slides with --unlabelled, or see --tissue-fraction',
    });
  return { items, patches, empty, hash: hash.digest('hex') };
}

/** A slide's own spacing goes before the one that was given, which may be that of the labelled images. */
async function open({ mpp, ...picture }: Picture, options: OpenItemOptions): Promise<OpenedSlide> {
  const given = mpp === undefined ? picture : { ...picture, mpp };
  if (picture.kind === 'image') return openItem(given, options);
  return openItem(picture, options).catch((error: unknown) => {
    if (toStromaflowError(error).code !== 'SLIDE_NO_MPP' || mpp === undefined) throw error;
    return openItem(given, options);
  });
}
