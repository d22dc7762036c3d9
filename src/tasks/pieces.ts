import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, readlink, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { BusEvent } from '../event/bus.js';
import { SAFELY } from '../slide/regular-file.js';
import type { StoredPiece } from '../slide/stored-bytes.js';
import { event, type WorkSubjects } from './task.js';

/**
 * Bytes of a slide's file as they lie there. 'absent': there is no such file; 'unread': it cannot be read, and nobody knows what is in it. A
 * file that ends inside a piece gives what there is.
 */
export type PieceBytes = Uint8Array | 'absent' | 'unread';

const names = new Map<string, string>();
/** Paths whose hashes are kept. */
const REMEMBERED = 4096;

/** Names a piece in subjects, for both who ships it and who fetches it: by where ingest has it. */
export function pieceName({ path, offset, length }: StoredPiece): string {
  let file = names.get(path);
  if (file === undefined) {
    file = createHash('sha256').update(path).digest('hex').slice(0, 16);
    names.set(path, file);
    if (names.size > REMEMBERED) names.delete(names.keys().next().value as string);
  }
  return length === undefined ? file : `${file}-${offset}-${length}`;
}

/** What is there instead of a file where links are not followed, as in readRegularFile. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO']);

/** Never rejects. What the slide's reader would not read is not read here either. */
export async function readPiece({ path, offset, length, below }: StoredPiece): Promise<PieceBytes> {
  try {
    if (length === undefined && !below) return new Uint8Array(await readFile(path));
    const file = await open(path, below ? SAFELY : 'r');
    try {
      if (length === undefined) return await readBelow(file, path, below!);
      const bytes = new Uint8Array(length);
      let got = 0;
      while (got < length) {
        const { bytesRead } = await file.read(bytes, got, length - got, offset + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      return bytes.subarray(0, got);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return length === undefined && (below ? ABSENT.has(code) : code === 'ENOENT') ? 'absent' : 'unread';
  }
}

async function readBelow(
  file: FileHandle,
  path: string,
  { folder, most }: NonNullable<StoredPiece['below']>,
): Promise<PieceBytes> {
  const stats = await file.stat();
  const place = await readlink(`/proc/self/fd/${file.fd}`).catch(() => realpath(path));
  if (!stats.isFile() || place !== join(await realpath(folder), relative(folder, path))) return 'absent';
  return stats.size > most ? 'unread' : new Uint8Array(await file.readFile());
}

/**
 * A piece as messages of at most `partBytes` of it. `ce-size` of each is that of the whole, or what it is instead of bytes.
 */
export function pieceEvents(
  subjects: WorkSubjects,
  { slide, run, piece }: { readonly slide: string; readonly run: string; readonly piece: string },
  bytes: PieceBytes,
  partBytes: number,
): BusEvent[] {
  const data = typeof bytes === 'string' ? new Uint8Array() : bytes;
  const size = typeof bytes === 'string' ? bytes : String(bytes.length);
  const parts = Math.max(1, Math.ceil(data.length / partBytes));
  return Array.from({ length: parts }, (_, part) =>
    event(subjects.tile(slide, run, piece, part), subjects.source, 'tile', {
      id: `${slide}@${run}/tile/${piece}/${part}`,
      ...{ slide, run, size },
      data: data.subarray(part * partBytes, (part + 1) * partBytes),
    }),
  );
}

/** Puts one together. @param part gives a message's `ce-size` and data; undefined where it is not there. */
export async function joinPiece(
  part: (index: number) => Promise<{ readonly size: string; readonly data: Uint8Array } | undefined>,
): Promise<PieceBytes | undefined> {
  const first = await part(0);
  if (!first) return undefined;
  if (first.size === 'absent' || first.size === 'unread') return first.size;
  const size = Number(first.size);
  if (first.data.length === size) return first.data;
  const whole = new Uint8Array(size);
  whole.set(first.data);
  for (let index = 1, at = first.data.length; at < size; index++) {
    const next = await part(index);
    if (!next || next.data.length === 0) return undefined;
    whole.set(next.data, at);
    at += next.data.length;
  }
  return whole;
}
