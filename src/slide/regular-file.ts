import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { readBytes } from './tiff-probe.js';

export interface RegularFile {
  readonly stats: Stats;
  readonly bytes: Buffer;
}

/** A link could lead out of the watched folder, and a pipe could hold up its reader for ever. */
const SAFELY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Reads a regular file; undefined when there is none of this name: no file, a link, a folder, a pipe, or one of more than
 * `most` bytes. Other failures throw the system's error.
 */
export function readRegularFile(path: string, most: number): RegularFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, SAFELY);
  } catch (error) {
    if (error instanceof Error && 'code' in error && ABSENT.has(String(error.code))) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= most ? { stats, bytes: readBytes(fd, 0, stats.size) } : undefined;
  } finally {
    closeSync(fd);
  }
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO']);
