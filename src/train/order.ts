import { Random } from '../random.js';

/**
 * A seed of its own for each thing that is drawn: the same parts, the same seed. Parts are whole numbers, of which the low 32 bits count.
 */
export function seedOf(...parts: readonly number[]): number {
  return parts.reduce((state, part) => new Random(state ^ (part >>> 0)).next(), 0x5eed);
}

/** What a seed is for, so that the order and the changes of an epoch have nothing to do with each other. */
export const DRAWS = { order: 1, augmentation: 2, weights: 3, unlabelled: 4 } as const;

/** Every patch once, in an order of the epoch's own: places in the index, 0 to count − 1. */
export function epochOrder(count: number, seed: number, epoch: number): number[] {
  const random = new Random(seedOf(seed, DRAWS.order, epoch));
  return random.shuffle(Array.from({ length: count }, (_, index) => index));
}

/** So many places of unlabelled patches as are wanted: each once before any comes again, and others each epoch where there are more. */
export function unlabelledOrder(count: number, wanted: number, seed: number, epoch: number): number[] {
  const deck = new Deck(
    Array.from({ length: count }, (_, index) => index),
    new Random(seedOf(seed, DRAWS.unlabelled, epoch)),
  );
  return Array.from({ length: wanted }, () => deck.draw());
}

/** Upper ends of the classes of patches that a balanced order draws from alike: none, little, half, mostly stroma. */
const SHARES = [0, 1 / 3, 2 / 3, 1] as const;

/**
 * As many places as there are patches, of which each class of share of stroma (none, up to a third, up to two, more) that occurs gives the
 * same number: patches of rare classes come several times, those of frequent ones not every epoch.
 * @param shares part of each patch's labelled pixels that is stroma, 0 to 1
 */
export function balancedOrder(shares: readonly number[], seed: number, epoch: number): number[] {
  const random = new Random(seedOf(seed, DRAWS.order, epoch));
  const classes: number[][] = SHARES.map(() => []);
  for (const [index, share] of shares.entries()) classes[SHARES.findIndex(end => share <= end)]!.push(index);
  const decks = classes.filter(members => members.length > 0).map(members => new Deck(members, random));
  const drawn = shares.map((_, place) => decks[place % decks.length]!.draw());
  return random.shuffle(drawn);
}

/** Cards drawn one by one; shuffled again when all are out. */
class Deck {
  readonly #cards: readonly number[];
  readonly #random: Random;
  #left: number[] = [];

  constructor(cards: readonly number[], random: Random) {
    this.#cards = cards;
    this.#random = random;
  }

  draw(): number {
    if (this.#left.length === 0) this.#left = this.#random.shuffle(this.#cards);
    return this.#left.pop()!;
  }
}
