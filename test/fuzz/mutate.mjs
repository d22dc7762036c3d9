/**
 * Damages bytes as transfers, writers that died and people with intent do. `random` decides everything, so that the same
 * random numbers give the same bytes.
 *
 * @param {Buffer} seed
 * @param {import('#src/random.js').Random} random
 * @param {{ others: readonly Buffer[], places: readonly number[] }} hints what to splice with, and where fields lie
 * @returns {Buffer}
 */
export function mutateBytes(seed, random, hints) {
  let bytes = Buffer.from(seed);
  for (let more = 1 + random.below(4); more > 0; more--) bytes = pick(random, OPERATIONS)(bytes, random, hints);
  return bytes;
}

export const pick = (random, list) => list[random.below(list.length)];

/** Values at which arithmetic turns over; 32 bits and 64 bits. */
const NUMBERS = [
  0, 1, 2, 3, 7, 8, 9, 15, 16, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x10000, 0xffffff, 0x7ffffffe,
  0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];
const LARGE = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];

const OPERATIONS = [
  flipBit,
  flipBit,
  setByte,
  setNumber,
  setNumber,
  setNumber,
  addSmall,
  addSmall,
  setLarge,
  pointInside,
  copyBlock,
  fillBlock,
  deleteBlock,
  duplicateBlock,
  truncate,
  splice,
];

/** Half of all changes fall on a field, a quarter near the head, the rest anywhere. */
function place(bytes, random, { places }) {
  if (bytes.length === 0) return 0;
  const where = random.below(4);
  if (where < 2 && places.length > 0) return Math.min(bytes.length - 1, pick(random, places));
  return random.below(where === 2 ? Math.min(512, bytes.length) : bytes.length);
}

const blockLength = (random, most) => 1 + random.below(Math.max(1, Math.min(most, 1 << (1 + random.below(10)))));

function flipBit(bytes, random, hints) {
  bytes[place(bytes, random, hints)] ^= 1 << random.below(8);
  return bytes;
}

function setByte(bytes, random, hints) {
  bytes[place(bytes, random, hints)] = random.below(256);
  return bytes;
}

function setNumber(bytes, random, hints) {
  return writeNumber(
    bytes,
    place(bytes, random, hints),
    pick(random, NUMBERS),
    1 << random.below(3),
    random.below(2) === 0,
  );
}

/** Positions and sizes of the file itself, and what is just beyond. */
function pointInside(bytes, random, hints) {
  const value = random.below(3) === 0 ? bytes.length + random.below(9) - 4 : random.below(bytes.length + 1);
  return writeNumber(bytes, place(bytes, random, hints), Math.max(0, value), 4, random.below(4) > 0);
}

function setLarge(bytes, random, hints) {
  const at = place(bytes, random, hints);
  if (at + 8 > bytes.length) return bytes;
  if (random.below(2) === 0) bytes.writeBigUInt64LE(pick(random, LARGE), at);
  else bytes.writeBigUInt64BE(pick(random, LARGE), at);
  return bytes;
}

function addSmall(bytes, random, hints) {
  const at = place(bytes, random, hints);
  const size = 1 << random.below(3);
  const little = random.below(2) === 0;
  if (at + size > bytes.length) return bytes;
  const value = little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  const change = value + random.below(33) - 16;
  return writeNumber(bytes, at, (change + 256 ** size) % 256 ** size, size, little);
}

function writeNumber(bytes, at, value, size, little) {
  if (at + size > bytes.length) return bytes;
  const fits = value % 256 ** size;
  if (little) bytes.writeUIntLE(fits, at, size);
  else bytes.writeUIntBE(fits, at, size);
  return bytes;
}

function copyBlock(bytes, random, hints) {
  const length = blockLength(random, bytes.length);
  bytes.copyWithin(
    place(bytes, random, hints),
    random.below(bytes.length + 1),
    random.below(bytes.length + 1) + length,
  );
  return bytes;
}

function fillBlock(bytes, random, hints) {
  const at = place(bytes, random, hints);
  return bytes.fill(
    pick(random, [0, 0xff, random.below(256)]),
    at,
    Math.min(bytes.length, at + blockLength(random, bytes.length)),
  );
}

function deleteBlock(bytes, random, hints) {
  const at = place(bytes, random, hints);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + blockLength(random, bytes.length))]);
}

function duplicateBlock(bytes, random, hints) {
  const at = place(bytes, random, hints);
  const block = bytes.subarray(at, at + blockLength(random, bytes.length));
  const times = random.below(8) === 0 ? 64 : 1;
  return Buffer.concat([bytes.subarray(0, at), ...Array(times).fill(block), bytes.subarray(at)]);
}

function truncate(bytes, random, hints) {
  return bytes.subarray(0, random.below(2) === 0 ? place(bytes, random, hints) : random.below(bytes.length + 1));
}

/** The front of this file and the back of another. */
function splice(bytes, random, hints) {
  const other = pick(random, hints.others);
  const at = place(bytes, random, hints);
  return Buffer.concat([
    bytes.subarray(0, at),
    other.subarray(random.below(2) === 0 ? at : random.below(other.length + 1)),
  ]);
}
