import { Random } from '#src/random.js';

/** Seeds of a target, loaded once. */
export async function loadSeeds({ name, seeds }) {
  const loaded = (await seeds()).filter(({ bytes }) => bytes.length > 0);
  if (loaded.length === 0) throw new Error(`target ${name} has no seeds`);
  return loaded;
}

/** Large seeds cost as much as many small ones and hold little that those do not: one input in so many is taken from all. */
const LARGE = 64 * 1024;
const LARGE_SHARE = 16;

/**
 * Input `index` of a target: the same for the same seed, whatever was run before. The first inputs are the seeds themselves.
 *
 * @returns {{ bytes: Buffer, from: Buffer }} the input, and the seed it was made from
 */
export function makeInput(target, seeds, seed, index) {
  if (index < seeds.length) return { bytes: seeds[index].bytes, from: seeds[index].bytes };
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b) ^ hashOf(target.name));
  const small = seeds.filter(({ bytes }) => bytes.length <= LARGE);
  const among = small.length > 0 && random.below(LARGE_SHARE) > 0 ? small : seeds;
  const { bytes: from } = among[random.below(among.length)];
  const others = seeds.map(({ bytes }) => bytes);
  return { bytes: Buffer.from(target.mutate(from, random, { others, places: target.places?.(from) ?? [] })), from };
}

function hashOf(text) {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash;
}
