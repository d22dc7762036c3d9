import { mutateBytes, pick } from './mutate.mjs';

/**
 * Damages a TIFF by its directories: an entry's tag, type, count, value; chains and SubIFDs that loop; values that are
 * moved to the end of the file and swollen there. Else bytes, the likelier where entries lie.
 *
 * @param {Buffer} seed
 * @param {import('#src/random.js').Random} random
 * @param {{ others: readonly Buffer[], places: readonly number[] }} hints
 * @returns {Buffer}
 */
export function mutateTiff(seed, random, hints) {
  const tiff = describe(seed);
  if (!tiff || random.below(2) === 0) return mutateBytes(seed, random, { ...hints, places: placesOf(tiff) });
  let bytes = Buffer.from(seed);
  for (let more = 1 + random.below(3); more > 0; more--) {
    const known = describe(bytes);
    if (!known || known.entries.length === 0) break;
    bytes = pick(random, OPERATIONS)(bytes, random, known);
  }
  return bytes;
}

const OPERATIONS = [setTag, setType, setCount, setCount, setValue, setValue, setValue, loop, swell];

const TAGS = [
  254, 256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 282, 296, 317, 322, 323, 324, 325, 330, 339, 347, 700, 34675,
  65420,
];
const VALUES = [
  0, 1, 2, 3, 5, 6, 7, 8, 12, 16, 32, 255, 256, 32773, 32946, 33003, 33005, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];

function setTag(bytes, random, { entries, short }) {
  short(bytes, pick(random, entries).at, pick(random, TAGS));
  return bytes;
}

function setType(bytes, random, { entries, short }) {
  short(bytes, pick(random, entries).at + 2, random.below(20));
  return bytes;
}

function setCount(bytes, random, { entries, word }) {
  word(bytes, pick(random, entries).at + 4, random.below(2) === 0 ? pick(random, VALUES) : random.below(4096));
  return bytes;
}

function setValue(bytes, random, { entries, word, short, big }) {
  const at = pick(random, entries).at + (big ? 12 : 8);
  const value = random.below(3) === 0 ? random.below(bytes.length + 16) : pick(random, VALUES);
  if (random.below(2) === 0) short(bytes, at, value & 0xffff);
  else word(bytes, at, value);
  return bytes;
}

/** The chain, or a SubIFD, leads to a directory that was there already, or into the middle of something. */
function loop(bytes, random, { directories, links, entries, word, big }) {
  const target = random.below(2) === 0 ? pick(random, directories) : random.below(bytes.length + 1);
  const subIfd = entries.find(({ tag }) => tag === 330);
  const at = subIfd && random.below(2) === 0 ? subIfd.at + (big ? 12 : 8) : pick(random, links);
  word(bytes, at, target);
  return bytes;
}

/** A tag's value becomes up to a mebibyte of one short text or number, repeated. */
function swell(bytes, random, { entries, word, big }) {
  const { at } = pick(random, entries);
  const value = big ? 12 : 8;
  const text = pick(random, [
    'Aperio|MPP = ',
    '| MPP',
    '<OME ',
    '<Pixels ',
    '<a:Pixels',
    'Name="DICOM_PIXEL_SPACING"',
    'DPUfsImport',
    ' ',
    '\0',
    '\x01\0\0\0',
    '\xff',
    '<iScan',
    '<scn ',
  ]);
  const start = pick(random, ['', 'Aperio|', '<OME ', 'DPUfsImport ']);
  const grown = Buffer.from(start + text.repeat(1 << random.below(16)), 'latin1');
  word(bytes, at + 4, grown.length);
  word(bytes, at + value, bytes.length);
  return Buffer.concat([bytes, grown]);
}

const placesOf = tiff =>
  tiff ? [4, 8, ...tiff.links, ...tiff.entries.flatMap(({ at }) => [at, at + 2, at + 4, at + 8, at + 12])] : [];

/** Directories of the main chain, as far as they lie in the file; undefined when it is no TIFF. */
function describe(bytes) {
  if (bytes.length < 16) return undefined;
  const little = bytes[0] === 0x49;
  const read = (at, size) => (little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size));
  const big = read(2, 2) === 43;
  if (!big && read(2, 2) !== 42) return undefined;
  // Of 64-bit numbers the lower half is written: none of the seeds is larger.
  const low = at => (big && !little ? at + 4 : at);
  const word = (into, at, value) => {
    if (low(at) + 4 > into.length) return;
    if (little) into.writeUInt32LE(value >>> 0, low(at));
    else into.writeUInt32BE(value >>> 0, low(at));
  };
  const short = (into, at, value) => {
    if (at + 2 > into.length) return;
    if (little) into.writeUInt16LE(value, at);
    else into.writeUInt16BE(value, at);
  };
  const [countBytes, entryBytes] = big ? [8, 20] : [2, 12];
  const links = [big ? 8 : 4];
  const directories = [];
  const entries = [];
  for (let at = read(low(links[0]), 4); at > 0 && at + countBytes <= bytes.length && directories.length < 16; ) {
    directories.push(at);
    const count = big ? read(low(at), 4) : read(at, 2);
    const end = at + countBytes + count * entryBytes;
    if (count > 256 || end + 8 > bytes.length) break;
    for (let i = 0; i < count; i++) {
      const entry = at + countBytes + i * entryBytes;
      entries.push({ at: entry, tag: read(entry, 2) });
    }
    links.push(end);
    const next = read(low(end), 4);
    at = directories.includes(next) ? 0 : next;
  }
  return directories.length > 0 ? { big, links, directories, entries, word, short } : undefined;
}
