import { PHOTOMETRIC } from '../tile-coding.js';

/**
 * TIFF stores JPEG tiles abbreviated: the tables lie in the JPEGTables tag (TIFF technical note 2). A stream that
 * libjpeg decodes alone is  SOI · APP14 · tables · tile without its SOI.  The TIFF's photometric tag governs the colour
 * transform, not markers inside the tile (OpenSlide does likewise), and libjpeg takes it from APP14 unless a JFIF marker
 * is there: so APP0 and APP14 of the tile are made COM, and one APP14 of ours says what the tag says.
 */

const MARKER = { soi: 0xd8, eoi: 0xd9, sos: 0xda, dqt: 0xdb, dht: 0xc4, dri: 0xdd, app0: 0xe0, app14: 0xee, com: 0xfe };

export interface JpegPrefix {
  /** Bytes that stand in front of a tile whose own SOI has been cut off. */
  readonly bytes: Buffer;
}

/** What a tile's frame header says. */
export interface JpegFrame {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Chroma is stored at lower resolution than luma. */
  readonly subsampled: boolean;
}

/** Adobe transform: 0 the samples are RGB, 1 they are YCbCr. */
export function jpegPrefix(tables: Uint8Array | undefined, transform: 0 | 1): JpegPrefix {
  const adobe = [0xff, MARKER.app14, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform];
  return { bytes: Buffer.from([0xff, MARKER.soi, ...adobe, ...tableSegments(tables)]) };
}

/**
 * Photometric RGB with subsampled chroma cannot be RGB: some writers tag YCbCr so. Everything else is what its tag says.
 */
export function adobeTransform(photometric: number, frame: JpegFrame): 0 | 1 {
  return photometric === PHOTOMETRIC.rgb && !frame.subsampled ? 0 : 1;
}

/**
 * Walks a tile's headers up to its scan, disarms APP0 and APP14 in place, and reads the frame header; undefined when the
 * bytes are not a JPEG stream of 8-bit samples, or one with more scans than pictures have. The size is checked here because
 * the decoder trusts it, and the scans because each costs a pass over the whole picture however few bytes it has.
 *
 * @param tile from SOI on; changed in place.
 */
export function prepareTile(tile: Uint8Array): JpegFrame | undefined {
  if (tile[0] !== 0xff || tile[1] !== MARKER.soi) return undefined;
  let frame: JpegFrame | undefined;
  let coding = 0;
  for (let at = 2; at + 4 <= tile.length; ) {
    if (tile[at] !== 0xff) return undefined;
    const marker = tile[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === MARKER.sos) return frame && isAffordable(tile, at, frame, coding) ? frame : undefined;
    if (marker === MARKER.soi || marker === MARKER.eoi || marker === 0 || (marker >= 0xd0 && marker <= 0xd7))
      return undefined;
    const length = word(tile, at + 2);
    if (length < 2 || at + 2 + length > tile.length) return undefined;
    if (marker === MARKER.app0 || marker === MARKER.app14) tile[at + 1] = MARKER.com;
    else if (isFrame(marker)) {
      if (frame) return undefined;
      coding = marker;
      frame = readFrame(tile, at + 4, length - 2);
      if (!frame) return undefined;
    }
    at += 2 + length;
  }
  return undefined;
}

/** Processes that libjpeg-turbo decodes: baseline, extended, progressive, and the last two with arithmetic coding. */
const PROCESSES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2, 0xc9, 0xca]);

/** What keeps a stream whose headers are sound from being decoded, whoever wrote it: its process or its depth. */
export function foreignJpeg(tile: Uint8Array): string | undefined {
  for (let at = 2; at + 5 <= tile.length && tile[at] === 0xff; at += 2 + word(tile, at + 2)) {
    const marker = tile[at + 1] as number;
    if (marker === MARKER.sos) return undefined;
    if (!isFrame(marker)) continue;
    if (!PROCESSES.has(marker)) return `is JPEG of process ${marker - 0xc0}, such as lossless or hierarchical`;
    return tile[at + 4] === 8 ? undefined : `has ${tile[at + 4]}-bit samples`;
  }
  return undefined;
}

/** Progressive encoders write about ten scans. */
const MAX_SCANS = 64;
/** Pixels of all scans together: ten of a tile of 5000 × 5000. */
const MAX_SCANNED = 2 ** 28;

/** Of a stream whose first scan holds all components and that is not progressive, no other scan is read. */
function isAffordable(
  tile: Uint8Array,
  firstScan: number,
  { width, height, components }: JpegFrame,
  coding: number,
): boolean {
  const progressive = (coding & 3) === 2;
  if (!progressive && tile[firstScan + 4] === components) return true;
  const bytes = Buffer.from(tile.buffer, tile.byteOffset, tile.byteLength);
  let scans = 0;
  for (let at = firstScan; at >= 0 && scans <= MAX_SCANS; at = bytes.indexOf(SCAN, at + 2)) scans++;
  return scans <= MAX_SCANS && scans * width * height <= MAX_SCANNED;
}

const SCAN = Buffer.from([0xff, MARKER.sos]);

/** True when an end-of-image marker closes the bytes; padding after it (zeros, ones) is allowed. */
export function endsWithEoi(tile: Uint8Array): boolean {
  let end = tile.length;
  while (end >= 2 && (tile[end - 1] === 0 || (tile[end - 1] === 0xff && tile[end - 2] === 0xff))) end--;
  while (end >= 2 && tile[end - 1] === 0xff) end--;
  return end >= 2 && tile[end - 1] === MARKER.eoi && tile[end - 2] === 0xff;
}

/** The DQT, DHT and DRI segments of a JPEGTables stream; other segments do not belong in front of a tile. */
function tableSegments(tables: Uint8Array | undefined): number[] {
  const kept: number[] = [];
  if (!tables) return kept;
  for (let at = 2; at + 4 <= tables.length && tables[at] === 0xff; ) {
    const marker = tables[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === MARKER.eoi || marker === MARKER.sos) break;
    const length = word(tables, at + 2);
    if (length < 2 || at + 2 + length > tables.length) break;
    if (marker === MARKER.dqt || marker === MARKER.dht || marker === MARKER.dri)
      kept.push(...tables.subarray(at, at + 2 + length));
    at += 2 + length;
  }
  return kept;
}

/** SOF0–SOF15 without DHT, JPG and DAC, which share the range. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(tile: Uint8Array, at: number, length: number): JpegFrame | undefined {
  const components = tile[at + 5] ?? 0;
  if (length < 6 + components * 3 || tile[at] !== 8) return undefined;
  const sampling = (index: number) => tile[at + 7 + index * 3] as number;
  const subsampled = components === 3 && (sampling(1) !== sampling(0) || sampling(2) !== sampling(0));
  return { width: word(tile, at + 3), height: word(tile, at + 1), components, subsampled };
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
