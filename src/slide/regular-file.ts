import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { join, relative } from 'node:path';
import { readBytes } from './tiff/probe.js';

export interface RegularFile {
  readonly stats: Stats;
  readonly bytes: Buffer;
}

/** A link could lead out of the watched folder, and a pipe could hold up its reader for ever. */
export const SAFELY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Reads a regular file; undefined when there is none of this name: no file, a link, a folder, a pipe, or one of more than
 * `most` bytes. Other failures throw the system's error.
 *
 * @param within a folder above the file: where a folder between them is a link, there is no file either. What was opened is
 * checked, not the name, so that nothing is gained by swapping folders meanwhile (where the system tells; Linux does).
 */
export function readRegularFile(path: string, most: number, within?: string): RegularFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, SAFELY);
  } catch (error) {
    if (error instanceof Error && 'code' in error && ABSENT.has(String(error.code))) return undefined;
    throw error;
  }
  try {
    if (within !== undefined && placeOf(fd, path) !== join(realpathSync(within), relative(within, path)))
      return undefined;
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= most ? { stats, bytes: readBytes(fd, 0, stats.size) } : undefined;
  } finally {
    closeSync(fd);
  }
}

/** Where an open file really lies. */
function placeOf(fd: number, path: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return realpathSync(path);
  }
}

/** Reads a regular file by its name below a folder, `/` between names; none of them may be a link. */
export const readFileBelow = (folder: string, name: string, most: number): RegularFile | undefined =>
  readRegularFile(join(folder, name), most, folder);

/** Facts of a regular file by its name below a folder; undefined where readFileBelow would find none. */
export function statFileBelow(folder: string, name: string): Stats | undefined {
  if (isBehindLink(folder, name)) return undefined;
  const stats = lstatOf(join(folder, name));
  return stats?.isFile() ? stats : undefined;
}

function isBehindLink(folder: string, name: string): boolean {
  for (let end = name.indexOf('/'); end > 0; end = name.indexOf('/', end + 1))
    if (lstatOf(join(folder, name.slice(0, end)))?.isSymbolicLink()) return true;
  return false;
}

/** Node's throwIfNoEntry still throws where one of the folders in a path is a file. */
function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO']);
