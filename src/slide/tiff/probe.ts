import { readSync } from 'node:fs';
import { StromaflowError } from '../../errors.js';

/**
 * Walks a TIFF's directories. An offset of 0, an offset past the end and a cut array are each one clear error (geotiff.js
 * 3.0.5 takes them at face value: wrong sizes, zeros for pixels). Nothing is allocated from a count before the bytes it
 * stands for are known to exist; as a file may claim any size without having it, readers limit counts as well.
 */

/** Where the values of one tag lie in the file. */
export interface ProbedEntry {
  readonly type: number;
  readonly count: number;
  readonly offset: number;
  /** Its values lie past the end of the file. */
  readonly beyond?: StromaflowError;
}

export interface ProbedDirectory {
  readonly offset: number;
  readonly entries: ReadonlyMap<number, ProbedEntry>;
}

/** A file's bytes from somewhere else than a file; as many as there are. */
export interface ByteReader {
  read(position: number, length: number): Buffer;
}

export interface TiffProbe {
  /** An open file, or what stands for one. */
  readonly fd: number | ByteReader;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly littleEndian: boolean;
  readonly big: boolean;
  /** The main chain, in the order of the file. */
  readonly directories: readonly ProbedDirectory[];
}

const MAX_DIRECTORIES = 4096;
const MAX_ENTRIES = 1024;
/** Of all images together, which may lie on top of each other in a small file. */
const MAX_ALL_ENTRIES = 2 ** 17;

/** Bytes of one value, by TIFF field type (TIFF 6.0 p. 15; 13 from Adobe's technical note 1; 16–18 from BigTIFF). */
export const TYPE_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};

/** Unsigned integer types that an array of offsets or counts may have. */
export const NUMBER_TYPES: ReadonlySet<number> = new Set([1, 3, 4, 13, 16, 18]);

/**
 * Checks the header and every directory of the main chain.
 *
 * @throws SLIDE_UNREADABLE when the file is no TIFF or is damaged, SLIDE_TRUNCATED when it ends before its directory.
 */
export function probeTiff(fd: number | ByteReader, path: string, size: number): TiffProbe {
  const head = readBytes(fd, 0, Math.min(16, size));
  const littleEndian = head[0] === 0x49 && head[1] === 0x49;
  if (size < 8 || !(littleEndian || (head[0] === 0x4d && head[1] === 0x4d))) throw notTiff(path, size, head);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = view.getUint16(2, littleEndian);
  const big = magic === 43;
  if (magic !== 42 && !(big && size >= 16 && view.getUint16(4, littleEndian) === 8)) throw notTiff(path, size, head);
  const first = big ? readOffset(view, 8, littleEndian) : view.getUint32(4, littleEndian);
  if (first === 0)
    throw unreadable(path, 'has no image directory yet', 'wait until the scanner has finished writing the file');
  const probe = { fd, path, size, littleEndian, big };
  const directories: ProbedDirectory[] = [];
  const seen = new Set<number>();
  let entries = 0;
  for (let offset = first; offset !== 0; ) {
    if (seen.has(offset)) throw unreadable(path, 'its image directories form a loop');
    if (directories.length === MAX_DIRECTORIES) throw unreadable(path, `has more than ${MAX_DIRECTORIES} images`);
    seen.add(offset);
    const { directory, next } = probeDirectory(probe, offset);
    directories.push(directory);
    entries += directory.entries.size;
    if (entries > MAX_ALL_ENTRIES) throw unreadable(path, `has more than ${MAX_ALL_ENTRIES} tags`);
    offset = next;
  }
  return { ...probe, directories };
}

/** True when the file starts as TIFF and BigTIFF files do, whatever follows. */
export function isTiff(fd: number | ByteReader): boolean {
  const head = readBytes(fd, 0, 4).toString('latin1');
  return ['II*\0', 'II+\0', 'MM\0*', 'MM\0+'].includes(head);
}

/** Checks one directory (also a SubIFD) and says where the next one lies; 0 for none. */
export function probeDirectory(
  probe: Omit<TiffProbe, 'directories'>,
  offset: number,
): { directory: ProbedDirectory; next: number } {
  const { fd, path, size, littleEndian, big } = probe;
  const [countBytes, entryBytes, linkBytes] = big ? [8, 20, 8] : [2, 12, 4];
  if (offset + countBytes > size) throw truncated(path, `its image directory lies at byte ${offset}`, size);
  const head = viewOf(readBytes(fd, offset, countBytes));
  const count = big ? readOffset(head, 0, littleEndian) : head.getUint16(0, littleEndian);
  if (count === 0 || count > MAX_ENTRIES) throw unreadable(path, `an image directory claims ${count} entries`);
  const length = count * entryBytes + linkBytes;
  if (offset + countBytes + length > size) throw truncated(path, `an image directory lies at byte ${offset}`, size);
  const view = viewOf(readBytes(fd, offset + countBytes, length));
  const entries = new Map<number, ProbedEntry>();
  for (let i = 0; i < count; i++) {
    const at = i * entryBytes;
    const entry = readEntry(probe, view, at, offset + countBytes + at);
    if (entry) entries.set(view.getUint16(at, littleEndian), entry);
  }
  const link = count * entryBytes;
  return {
    directory: { offset, entries },
    next: big ? readOffset(view, link, littleEndian) : view.getUint32(link, littleEndian),
  };
}

/**
 * An array tag's values as numbers, in memory that threads share.
 * @throws SLIDE_TRUNCATED, SLIDE_UNREADABLE
 */
export function readNumbers(probe: Omit<TiffProbe, 'directories'>, entry: ProbedEntry): Float64Array {
  if (entry.beyond) throw entry.beyond;
  if (!NUMBER_TYPES.has(entry.type)) throw unreadable(probe.path, `an array of offsets has type ${entry.type}`);
  const bytes = TYPE_BYTES[entry.type] as number;
  const view = viewOf(readBytes(probe.fd, entry.offset, entry.count * bytes));
  const values = new Float64Array(new SharedArrayBuffer(entry.count * 8));
  for (let i = 0; i < entry.count; i++) {
    const at = i * bytes;
    if (bytes === 8) values[i] = readOffset(view, at, probe.littleEndian);
    else if (bytes === 4) values[i] = view.getUint32(at, probe.littleEndian);
    else values[i] = bytes === 2 ? view.getUint16(at, probe.littleEndian) : view.getUint8(at);
  }
  return values;
}

function readEntry(
  probe: Omit<TiffProbe, 'directories'>,
  view: DataView,
  at: number,
  position: number,
): ProbedEntry | undefined {
  const { path, size, littleEndian, big } = probe;
  const type = view.getUint16(at + 2, littleEndian);
  const bytes = TYPE_BYTES[type];
  // "Readers should skip over fields containing an unexpected field type" (TIFF 6.0, p. 16).
  if (bytes === undefined) return undefined;
  const count = big ? readOffset(view, at + 4, littleEndian) : view.getUint32(at + 4, littleEndian);
  const inline = big ? 8 : 4;
  const valueAt = at + (big ? 12 : 8);
  const length = count * bytes;
  if (length <= inline) return { type, count, offset: position + (big ? 12 : 8) };
  const offset = big ? readOffset(view, valueAt, littleEndian) : view.getUint32(valueAt, littleEndian);
  if (offset + length <= size) return { type, count, offset };
  // It may be a thumbnail's: whoever needs the values says so.
  const beyond = truncated(path, `tag ${view.getUint16(at, littleEndian)} lies at byte ${offset}`, size);
  return { type, count, offset, beyond };
}

/** A 64-bit offset; one beyond 2^53 lies past the end of any file and stays so as a float. */
function readOffset(view: DataView, at: number, littleEndian: boolean): number {
  return Number(view.getBigUint64(at, littleEndian));
}

export function readBytes(fd: number | ByteReader, position: number, length: number): Buffer {
  if (typeof fd !== 'number') return fd.read(position, length);
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const got = readSync(fd, buffer, done, length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return buffer.subarray(0, done);
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')];
/** How pictures that are no slides begin. */
const PICTURES: readonly { readonly name: string; readonly magic: readonly (number | null)[] }[] = [
  { name: 'PNG', magic: ascii('\x89PNG') },
  { name: 'JPEG', magic: [0xff, 0xd8, 0xff] },
  { name: 'WebP', magic: [...ascii('RIFF'), null, null, null, null, ...ascii('WEBP')] },
];
const PICTURE_FIX =
  'stromaflow model run <bundle> --image takes one picture, replay a folder of labelled ones; as a slide it must be a tiled TIFF with its spacing';

function notTiff(path: string, size: number, head: Buffer): StromaflowError {
  if (size === 0) return unreadable(path, 'is empty');
  const picture = PICTURES.find(({ magic }) => magic.every((byte, i) => byte === null || head[i] === byte))?.name;
  if (picture !== undefined) return unreadable(path, `is a ${picture} picture, not a slide`, PICTURE_FIX);
  const text = head.every(byte => (byte >= 32 && byte < 127) || byte === 9 || byte === 10 || byte === 13);
  return unreadable(path, text ? 'is a text file, not a slide' : 'is not a TIFF file');
}

export function unreadable(path: string, what: string, fix?: string): StromaflowError {
  return new StromaflowError('SLIDE_UNREADABLE', `${path}: ${what}`, fix === undefined ? {} : { fix });
}

export function truncated(path: string, what: string, size: number): StromaflowError {
  return new StromaflowError('SLIDE_TRUNCATED', `${path}: ${what}, but the file ends at byte ${size}`);
}
