import { mutateBytes, pick } from './mutate.mjs';

/**
 * Damages a JPEG stream by its segments: other codings (progressive, arithmetic, lossless), depths, sizes and sampling,
 * restarts, scans and tables that are repeated, reordered or left out.
 *
 * @param {Buffer} seed
 * @param {import('#src/random.js').Random} random
 * @param {{ others: readonly Buffer[], places: readonly number[] }} hints
 * @returns {Buffer}
 */
export function mutateJpeg(seed, random, hints) {
  if (random.below(3) === 0) return mutateBytes(seed, random, { ...hints, places: segmentsOf(seed).flatMap(fieldsOf) });
  let bytes = Buffer.from(seed);
  for (let more = 1 + random.below(4); more > 0; more--) {
    const segments = segmentsOf(bytes);
    if (segments.length > 0) bytes = pick(random, OPERATIONS)(bytes, random, segments, hints);
  }
  return bytes;
}

const isFrame = marker => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Marker segments; a scan reaches up to the next marker that is no restart. */
function segmentsOf(bytes) {
  const segments = [];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    if (marker === 0xd9) break;
    let end = at + 2 + bytes.readUInt16BE(at + 2);
    if (marker === 0xda) {
      while (
        end + 1 < bytes.length &&
        !(bytes[end] === 0xff && bytes[end + 1] !== 0 && (bytes[end + 1] & 0xf8) !== 0xd0)
      )
        end++;
    }
    segments.push({ marker, at, end: Math.min(end, bytes.length) });
    at = end;
  }
  return segments;
}

/** Where a segment's marker, length and first parameters lie. */
const fieldsOf = ({ at, end }) => Array.from({ length: Math.min(24, end - at) }, (_, i) => at + i);

const OPERATIONS = [
  recode,
  setFrame,
  setFrame,
  setScan,
  setScan,
  addRestarts,
  addMarkers,
  repeatScans,
  duplicate,
  remove,
  swap,
  borrow,
  damage,
  damage,
];

function recode(bytes, random, segments) {
  const frame = segments.find(({ marker }) => isFrame(marker));
  if (frame) bytes[frame.at + 1] = pick(random, [0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc9, 0xca, 0xcb, 0xcd, 0xce]);
  return bytes;
}

/** Depth, height, width, number of components, and each one's sampling and table. */
function setFrame(bytes, random, segments) {
  const frame = segments.find(({ marker }) => isFrame(marker));
  if (!frame || frame.at + 19 > bytes.length) return bytes;
  const { at } = frame;
  const field = random.below(5);
  if (field === 0) bytes[at + 4] = pick(random, [8, 12, 16, 2, 0, 7, 9, 255]);
  else if (field === 1)
    bytes.writeUInt16BE(pick(random, [0, 1, 63, 64, 65, 512, 0x7fff, 0xffff]), at + 5 + 2 * random.below(2));
  else if (field === 2) bytes[at + 9] = pick(random, [0, 1, 2, 3, 4, 5, 255]);
  else if (field === 3)
    bytes[at + 11 + 3 * random.below(3)] = pick(
      random,
      [0x11, 0x12, 0x21, 0x22, 0x41, 0x14, 0x44, 0x33, 0x31, 0, 0xff, 0x10],
    );
  else bytes[at + 10 + random.below(9)] = random.below(6);
  return bytes;
}

/** Components, tables, spectral selection and successive approximation of a scan. */
function setScan(bytes, random, segments) {
  const scans = segments.filter(({ marker }) => marker === 0xda);
  if (scans.length === 0) return bytes;
  const { at } = pick(random, scans);
  const offset = 4 + random.below(11);
  if (at + offset < bytes.length) bytes[at + offset] = pick(random, [0, 1, 2, 3, 0x11, 0x10, 0x21, 63, 64, 0x22, 0xff]);
  return bytes;
}

function addRestarts(bytes, random, segments) {
  const interval = pick(random, [0, 1, 2, 3, 64, 0x7fff, 0xffff]);
  return insert(bytes, pick(random, segments).at, Buffer.from([0xff, 0xdd, 0, 4, interval >> 8, interval & 255]));
}

/** Restarts and other markers inside a scan. */
function addMarkers(bytes, random, segments) {
  const scans = segments.filter(({ marker }) => marker === 0xda);
  if (scans.length === 0) return bytes;
  const { at, end } = pick(random, scans);
  const marker = random.below(3) === 0 ? random.below(256) : 0xd0 + random.below(8);
  return insert(bytes, at + 2 + random.below(Math.max(1, end - at - 2)), Buffer.from([0xff, marker]));
}

/** A scan costs a pass over the whole picture, however few bytes it has. */
function repeatScans(bytes, random, segments) {
  const scans = segments.filter(({ marker }) => marker === 0xda);
  if (scans.length === 0) return bytes;
  const { at, end } = pick(random, scans);
  const kept = bytes.subarray(at, Math.min(end, at + 10 + random.below(64)));
  return insert(bytes, random.below(2) === 0 ? at : end, Buffer.concat(Array(1 << random.below(13)).fill(kept)));
}

function duplicate(bytes, random, segments) {
  const { at, end } = pick(random, segments);
  return insert(bytes, pick(random, segments).at, bytes.subarray(at, end));
}

function remove(bytes, random, segments) {
  const { at, end } = pick(random, segments);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
}

function swap(bytes, random, segments) {
  const { at, end } = pick(random, segments);
  return insert(
    Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]),
    pick(random, segments).at,
    bytes.subarray(at, end),
  );
}

/** A segment of another file. */
function borrow(bytes, random, segments, { others }) {
  const other = pick(random, others);
  const theirs = segmentsOf(other);
  if (theirs.length === 0) return bytes;
  const { at, end } = pick(random, theirs);
  return insert(bytes, pick(random, segments).at, other.subarray(at, end));
}

function damage(bytes, random, segments, hints) {
  return mutateBytes(bytes, random, { ...hints, places: segments.flatMap(fieldsOf) });
}

const insert = (bytes, at, part) => Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
