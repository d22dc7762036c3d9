import { StromaflowError } from '../errors.js';
import { Random } from '../random.js';
import { AUGMENTATIONS, type AugmentationName } from './kinds.js';
import { DRAWS, seedOf } from './order.js';

/** How one patch is changed, once. */
export interface Augmentation {
  /** Quarter turns, 0 to 3, then whether it is mirrored. */
  readonly turns: number;
  readonly mirrored: boolean;
  /** Pixels of the patch per pixel that is learned from: above 1 shrinks the picture, below enlarges it. */
  readonly scale: number;
  readonly stain?: StainChange;
  /** Standard deviation of a Gaussian in pixels. */
  readonly blur?: number;
  readonly colour?: ColourChange;
}

/** Each stain's amount a becomes factor × a + offset, in units of optical density. */
export interface StainChange {
  /** The stains' colours: Ruifrok and Johnston's, or the patch's own by Macenko's method. */
  readonly by: 'hed' | 'macenko';
  /** One a stain: haematoxylin, eosin and, by HED, what is left. */
  readonly factors: readonly number[];
  readonly offsets: readonly number[];
}

/** Factors around 1. */
export interface ColourChange {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
}

/** Those that move pixels; the others change their colours. */
export const GEOMETRIC: readonly AugmentationName[] = ['rotate', 'flip', 'scale'];

export const UNCHANGED: Augmentation = { turns: 0, mirrored: false, scale: 1 };

/** Largest change of scale, either way. */
export const MAX_SCALE = 1.25;
/** A stain's factor lies within this of 1, its offset within that of 0. */
const STAIN = { factor: 0.15, offset: 0.02 } as const;
/** Half of the patches are blurred, the others left sharp. */
const BLUR = { part: 0.5, from: 0.4, to: 1.5 } as const;
const COLOUR = 0.1;

/**
 * Draws how a patch is changed: the same numbers, the same change. Every kind has random numbers of its own, so that one more kind leaves
 * the others as they were.
 * @param place in the epoch's order, from 0
 */
export function drawAugmentation(
  kinds: readonly AugmentationName[],
  seed: number,
  epoch: number,
  place: number,
): Augmentation {
  const of = (kind: AugmentationName): Random | undefined =>
    kinds.includes(kind)
      ? new Random(seedOf(seed, DRAWS.augmentation, epoch, place, AUGMENTATIONS.indexOf(kind)))
      : undefined;
  const scale = of('scale');
  const stain = drawStain(of('macenko'), 'macenko') ?? drawStain(of('hed'), 'hed');
  const blur = drawBlur(of('blur'));
  const colour = of('colour');
  return {
    turns: of('rotate')?.below(4) ?? 0,
    mirrored: of('flip')?.below(2) === 1,
    scale: scale ? MAX_SCALE ** between(scale, -1, 1) : 1,
    ...(stain && { stain }),
    ...(blur !== undefined && { blur }),
    ...(colour && { colour: drawColour(colour) }),
  };
}

/**
 * The kinds of a list with commas between; 'none' is none.
 * @throws CONFIG_INVALID naming what is no kind
 */
export function parseAugmentations(text: string): AugmentationName[] {
  const names = text.split(',').map(name => name.trim().toLowerCase());
  if (names.join() === 'none') return [];
  const wrong = names.find(name => !(AUGMENTATIONS as readonly string[]).includes(name));
  if (wrong !== undefined) {
    throw new StromaflowError('CONFIG_INVALID', `--augment: '${wrong}' is none of ${AUGMENTATIONS.join(', ')}`);
  }
  if (names.includes('hed') && names.includes('macenko')) {
    throw new StromaflowError('CONFIG_INVALID', '--augment: hed and macenko both change the stain; choose one');
  }
  return AUGMENTATIONS.filter(name => names.includes(name));
}

function drawStain(random: Random | undefined, by: StainChange['by']): StainChange | undefined {
  if (!random) return undefined;
  const stains = [0, 1, 2].slice(0, by === 'hed' ? 3 : 2);
  const factors = stains.map(() => 1 + between(random, -STAIN.factor, STAIN.factor));
  const offsets = stains.map(() => between(random, -STAIN.offset, STAIN.offset));
  return { by, factors, offsets };
}

function drawBlur(random: Random | undefined): number | undefined {
  if (!random) return undefined;
  const blurred = random.float() < BLUR.part;
  const sigma = between(random, BLUR.from, BLUR.to);
  return blurred ? sigma : undefined;
}

function drawColour(random: Random): ColourChange {
  const factor = (): number => 1 + between(random, -COLOUR, COLOUR);
  return { brightness: factor(), contrast: factor(), saturation: factor() };
}

const between = (random: Random, from: number, to: number): number => from + (to - from) * random.float();
