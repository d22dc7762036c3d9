import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { StromaflowError } from '../errors.js';
import { Random } from '../random.js';
import { safeId } from '../slide/image/image-source.js';
import { decodeText } from '../text.js';
import { stemOf } from './layout-folder.js';

/** Which patches train, choose and test. One file, read by training and by evaluation. */
export const SPLITS = ['train', 'validation', 'test'] as const;
/** 'all' where no split is in force. */
export type SplitName = (typeof SPLITS)[number] | 'all';

/** The study's proportions. */
export const DEFAULT_FRACTIONS = { train: 0.8, validation: 0.1, test: 0.1 } as const;

export type SplitUnit = 'patch' | 'patient';

export interface Split {
  readonly version: 1;
  /** 'patch': as the study; patches of one patient are on both sides. 'patient': no patient is. */
  readonly by: SplitUnit;
  readonly seed: number;
  readonly fractions: Readonly<Record<(typeof SPLITS)[number], number>>;
  /** µm/px and pixels of the patch grid that patch letters refer to. */
  readonly spacing: number;
  readonly patchSize: number;
  readonly images: Readonly<Record<string, SplitImage>>;
}

export interface SplitImage {
  readonly patient: string;
  /** Split of the whole image; absent when its patches are split. */
  readonly split?: (typeof SPLITS)[number];
  /** Patches a row of the grid, and one letter a patch, row by row: t train, v validation, e test. */
  readonly cols?: number;
  readonly patches?: string;
}

/** What is split: an image with its patient and its grid. */
export interface SplitCandidate {
  readonly id: string;
  readonly patient: string;
  readonly cols: number;
  readonly rows: number;
}

export interface SplitOptions {
  readonly by: SplitUnit;
  readonly seed: number;
  readonly spacing: number;
  readonly patchSize: number;
  readonly fractions?: Split['fractions'];
}

const LETTERS: Readonly<Record<string, (typeof SPLITS)[number]>> = { t: 'train', v: 'validation', e: 'test' };
const LETTER_OF = { train: 't', validation: 'v', test: 'e' } as const;

/**
 * Splits images. By patch: all patches, ordered by image and place, are shuffled by seed and cut at the fractions. By
 * patient: patients are shuffled, and each goes where the most patches are still missing, so that every split gets near
 * its fraction; three patients or more leave none empty.
 */
export function makeSplit(candidates: readonly SplitCandidate[], options: SplitOptions): Split {
  const fractions = options.fractions ?? DEFAULT_FRACTIONS;
  const sorted = [...candidates].sort((a, b) => (a.id < b.id ? -1 : 1));
  const { by, seed, spacing, patchSize } = options;
  const images = by === 'patch' ? byPatch(sorted, seed, fractions) : byPatient(sorted, seed, fractions);
  return { version: 1, by, seed, fractions, spacing, patchSize, images };
}

/** Split of a patch; 'all' without a split file. Images that the file does not know are test images: nothing was learned from them. */
export function splitOf(split: Split | undefined, image: string, col: number, row: number): SplitName {
  if (!split) return 'all';
  const entry = split.images[image];
  if (!entry) return 'test';
  if (entry.split) return entry.split;
  return LETTERS[entry.patches?.[row * (entry.cols ?? 0) + col] ?? ''] ?? 'test';
}

/**
 * Whether pictures of a split set take part in what is learnt: those of `train`, by their names, and none that the file does not know.
 * @throws LABELS_INVALID for a split by patch: a picture's patches are on both sides
 */
export function trainPictures(split: Split): (path: string) => boolean {
  if (split.by === 'patch')
    throw new StromaflowError('LABELS_INVALID', 'a split by patch has patches of every picture on both sides', {
      fix: 'split the set by patient: stromaflow labels split <set> --split patient',
    });
  return path => split.images[safeId(stemOf(basename(path)))]?.split === 'train';
}

/** '0.5,0,0.5' as fractions for train, validation and test. @throws CONFIG_INVALID */
export function parseFractions(text: string): Split['fractions'] {
  const parts = text.split(',').map(part => (part.trim() === '' ? Number.NaN : Number(part)));
  const [train, validation, test] = parts;
  const sum = parts.reduce((total, part) => total + part, 0);
  if (parts.length !== 3 || parts.some(part => !(part >= 0)) || Math.abs(sum - 1) > 1e-6 || train === 0)
    throw new StromaflowError('CONFIG_INVALID', `--fractions: '${text}' is not what train, validation and test get`, {
      fix: 'three numbers that add up to 1, the first above 0, such as 0.5,0,0.5',
    });
  return { train: train!, validation: validation!, test: test! };
}

export async function writeSplit(path: string, split: Split): Promise<void> {
  await writeFile(path, `${JSON.stringify(split, null, 1)}\n`);
}

/** @throws FILE_NOT_FOUND, LABELS_INVALID */
export async function readSplit(path: string): Promise<Split> {
  let text: string;
  try {
    text = decodeText(await readFile(path));
  } catch (cause) {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: the split file cannot be read`, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new StromaflowError('LABELS_INVALID', `${path}: it is no JSON`, { cause });
  }
  if (!isSplit(json)) throw new StromaflowError('LABELS_INVALID', `${path}: it is no split file of version 1`);
  return json;
}

function byPatch(images: readonly SplitCandidate[], seed: number, fractions: Split['fractions']): Split['images'] {
  const total = images.reduce((sum, image) => sum + image.cols * image.rows, 0);
  const order = new Random(seed).shuffle(Array.from({ length: total }, (_, index) => index));
  const letters = new Array<string>(total).fill(LETTER_OF.test);
  const train = Math.round(total * fractions.train);
  const validation = Math.round(total * (fractions.train + fractions.validation));
  for (const [place, index] of order.entries()) {
    if (place < train) letters[index] = LETTER_OF.train;
    else if (place < validation) letters[index] = LETTER_OF.validation;
  }
  let at = 0;
  return Object.fromEntries(
    images.map(({ id, patient, cols, rows }) => {
      const patches = letters.slice(at, at + cols * rows).join('');
      at += cols * rows;
      return [id, { patient, cols, patches }];
    }),
  );
}

function byPatient(images: readonly SplitCandidate[], seed: number, fractions: Split['fractions']): Split['images'] {
  const weights = new Map<string, number>();
  for (const { patient, cols, rows } of images) weights.set(patient, (weights.get(patient) ?? 0) + cols * rows);
  const patients = new Random(seed).shuffle([...weights.keys()].sort());
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const filled = { train: 0, validation: 0, test: 0 };
  const chosen = new Map<string, (typeof SPLITS)[number]>();
  for (const patient of patients) {
    const missing = (name: (typeof SPLITS)[number]) =>
      fractions[name] === 0
        ? Number.NEGATIVE_INFINITY
        : (fractions[name] * total - filled[name]) / (fractions[name] * total);
    const split = SPLITS.reduce((best, name) => (missing(name) > missing(best) ? name : best));
    filled[split] += weights.get(patient) ?? 0;
    chosen.set(patient, split);
  }
  return Object.fromEntries(images.map(({ id, patient }) => [id, { patient, split: chosen.get(patient) ?? 'train' }]));
}

function isSplit(json: unknown): json is Split {
  if (typeof json !== 'object' || json === null) return false;
  const { version, by, images, fractions } = json as Partial<Split>;
  if (version !== 1 || (by !== 'patch' && by !== 'patient')) return false;
  if (typeof images !== 'object' || images === null) return false;
  if (typeof fractions !== 'object' || fractions === null) return false;
  return Object.values(images).every(
    image =>
      typeof image === 'object' &&
      image !== null &&
      typeof image.patient === 'string' &&
      (image.split === undefined
        ? typeof image.patches === 'string' && /^[tve]*$/.test(image.patches) && Number.isInteger(image.cols)
        : (SPLITS as readonly string[]).includes(image.split)),
  );
}
