import { createHash } from 'node:crypto';
import { StromaflowError } from '../errors.js';
import type { LabelFacts } from '../evaluate/label-facts.js';
import type { LabelledImage } from '../evaluate/labelled-item.js';
import type { LabelledSet } from '../evaluate/labelled-set.js';
import { type OpenItemOptions, openItem } from '../evaluate/open-item.js';
import { type Split, splitOf } from '../evaluate/split.js';
import type { PatchPlan } from '../read/patch.js';
import { planPatches } from '../read/plan.js';
import { MAX_SCALE } from './augmentation.js';
import type { PatchFacts, SampleSource } from './sample-reader.js';

/** A patch that is learned from, or that epochs are judged by. */
export interface IndexedPatch {
  /** Place in PatchIndex.items. */
  readonly item: number;
  readonly col: number;
  readonly row: number;
  readonly labelledPixels: number;
  readonly positivePixels: number;
}

export interface IndexedItem {
  readonly image: LabelledImage;
  readonly sample: SampleSource;
}

/** What a run learns from: facts only, some hundred bytes an image and some ten a patch. */
export interface PatchIndex {
  readonly items: readonly IndexedItem[];
  readonly train: readonly IndexedPatch[];
  readonly validation: readonly IndexedPatch[];
  /** Patches of both that are left out: nothing but glass without stroma, without a label, or not stored. */
  readonly removed: { readonly empty: number; readonly unlabelled: number };
  /** SHA-256, hex, over what the patches are and what their files were: two runs with the same learn from the same. */
  readonly hash: string;
}

export interface PatchIndexOptions extends OpenItemOptions {
  readonly split: Split;
  readonly patchSize: number;
  /** Context around a patch is read, for changes of scale; off where neighbouring patches may be of another split. */
  readonly context: boolean;
  /** Images that are smaller than a patch are filled up with zeros; else they are refused. */
  readonly padSmall: boolean;
  /** Looks at a patch; see SampleReader.look. */
  readonly look: (sample: SampleSource, col: number, row: number) => Promise<PatchFacts>;
  /** Looks under way at a time. */
  readonly atOnce: number;
  /** Told the images of the set, before their patches are looked at; what it throws ends that. */
  readonly onItems?: (ids: ReadonlySet<string>) => void;
  readonly onFacts?: (image: LabelledImage, facts: LabelFacts, unknownValue: number) => void;
  readonly onProgress?: (patches: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Looks at every patch of the train and validation split once. The patches are those of a replay at the same spacing and size; of them
 * are left out what it leaves out.
 * @throws LABELS_INVALID: images smaller than a patch, no positive pixel; what reading throws
 */
export async function indexPatches(set: LabelledSet, options: PatchIndexOptions): Promise<PatchIndex> {
  const { split, spacing, patchSize, padSmall, signal } = options;
  const items: IndexedItem[] = [];
  const small: string[] = [];
  const hash = createHash('sha256');
  for await (const image of set) {
    signal.throwIfAborted();
    const { info, source } = await openItem(image, options);
    const bare = planPatches(info, { spacing, patchSize });
    checkGrid(image, bare, split);
    if (bare.width < patchSize || bare.height < patchSize)
      small.push(`${image.imagePath} (${bare.width} × ${bare.height})`);
    const margin = options.context ? contextOf(patchSize) : 0;
    const plan = planPatches(info, { spacing, patchSize: patchSize + 2 * margin, margin });
    const { labels, kind, width, height, mpp } = image;
    const item = items.length;
    const truth = { labels, kind, width, height, ...(mpp !== undefined && { mpp }) };
    items.push({ image, sample: { item, info, source, labels: truth, plan } });
    hash.update(`${image.id} ${info.fingerprint} ${plan.width} ${plan.height}\n`);
  }
  options.onItems?.(new Set(items.map(({ image }) => image.id)));
  if (small.length > 0 && !padSmall) throw tooSmall(small, patchSize);
  const patches: Record<'train' | 'validation', IndexedPatch[]> = { train: [], validation: [] };
  const removed = { empty: 0, unlabelled: 0 };
  let looked = 0;
  const nameOf = (item: number, col: number, row: number): 'train' | 'validation' | undefined => {
    const name = splitOf(split, items[item]!.image.id, col, row);
    return name === 'train' || name === 'validation' ? name : undefined;
  };
  const told: LookOptions = {
    ...options,
    onFacts: (item, facts) => options.onFacts?.(items[item]!.image, facts.facts, facts.unknownValue),
  };
  for await (const { name, patch, outcome } of lookAtAll(items, nameOf, told)) {
    hash.update(`${name} ${Object.values(patch).join(' ')} ${outcome}\n`);
    options.onProgress?.(++looked);
    if (patch.labelledPixels === 0) removed.unlabelled++;
    else if (outcome !== 'tissue' && patch.positivePixels === 0) removed.empty++;
    else patches[name].push(patch);
  }
  checkStroma(set, patches);
  return { items, ...patches, removed, hash: hash.digest('hex') };
}

interface LookOptions extends Pick<PatchIndexOptions, 'look' | 'atOnce' | 'signal'> {
  readonly onFacts?: (item: number, facts: PatchFacts) => void;
}

interface Looked<Name> {
  readonly name: Name;
  readonly patch: IndexedPatch;
  readonly outcome: PatchFacts['outcome'];
}

/**
 * Looks some patches ahead, and gives them in their order.
 * @param nameOf what a patch is for; undefined: it is not looked at
 */
export async function* lookAtAll<Name>(
  items: readonly { readonly sample: SampleSource }[],
  nameOf: (item: number, col: number, row: number) => Name | undefined,
  { look, atOnce, onFacts, signal }: LookOptions,
): AsyncGenerator<Looked<Name>> {
  const ahead: Promise<Looked<Name>>[] = [];
  try {
    for (const [item, { sample }] of items.entries()) {
      const plan = { ...sample.plan, patchSize: sample.plan.core, margin: 0 };
      for (let row = 0; row < plan.rows; row++) {
        for (let col = 0; col < plan.cols; col++) {
          const name = nameOf(item, col, row);
          if (name === undefined) continue;
          signal.throwIfAborted();
          const looking = look({ ...sample, plan }, col, row).then(facts => {
            onFacts?.(item, facts);
            const { outcome, labelledPixels, positivePixels } = facts;
            return { name, outcome, patch: { item, col, row, labelledPixels, positivePixels } };
          });
          // Awaited in order; one that fails meanwhile is met when its turn comes.
          looking.catch(() => undefined);
          ahead.push(looking);
          if (ahead.length >= atOnce) yield await ahead.shift()!;
        }
      }
    }
    while (ahead.length > 0) yield await ahead.shift()!;
  } finally {
    await Promise.allSettled(ahead);
  }
}

/** Pixels of context on each side that the largest change of scale needs; a multiple of 16, as plans want it. */
export const contextOf = (patchSize: number): number => Math.ceil(((MAX_SCALE - 1) * patchSize) / 2 / 16) * 16;

function checkGrid({ id }: LabelledImage, { cols, rows }: PatchPlan, { images }: Split): void {
  const entry = images[id];
  if (entry?.patches === undefined || (entry.cols === cols && entry.patches.length === cols * rows)) return;
  const [had, has] = [`${entry.cols} × ${entry.patches.length / (entry.cols ?? 1)}`, `${cols} × ${rows}`];
  throw new StromaflowError('LABELS_INVALID', `the split has ${had} patches for ${id}, which has ${has}`, {
    fix: MAKE_SPLIT,
  });
}

export const MAKE_SPLIT =
  'the split was made of another set, spacing or patch size: make one with stromaflow labels split';

function tooSmall(small: readonly string[], patchSize: number): StromaflowError {
  const others = small.length > 1 ? `, and ${small.length - 1} others` : '';
  const message = `${small[0]} pixels${others}: smaller than a patch of ${patchSize}`;
  const fix = 'fill them up with zeros by --pad-small, as replay does, or choose a smaller --patch-size';
  return new StromaflowError('LABELS_INVALID', message, { fix });
}

function checkStroma({ folder }: LabelledSet, patches: Record<'train' | 'validation', readonly IndexedPatch[]>): void {
  for (const name of ['train', 'validation'] as const) {
    const what = `the ${name === 'train' ? 'training' : 'validation'} split`;
    if (patches[name].length === 0)
      throw new StromaflowError('LABELS_INVALID', `${folder}: ${what} has no labelled patch`, {
        fix: 'label more, or make another split with stromaflow labels split --seed',
      });
    if (!patches[name].some(({ positivePixels }) => positivePixels > 0))
      throw new StromaflowError('LABELS_INVALID', `${folder}: ${what} has no positive pixel`, {
        fix: 'look at the label map with stromaflow labels check, or make another split with --seed',
      });
  }
}
