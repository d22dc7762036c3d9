import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';

/** Why nothing can be written into a folder, by the system's code. */
const WHY_NOT: Readonly<Record<string, string>> = {
  EROFS: 'it is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
};
/** Why none can be made, besides. */
const WHY_NONE: Readonly<Record<string, string>> = {
  ...WHY_NOT,
  ENOENT: 'no folder can be made there',
  ENOTDIR: 'part of its path is a file',
  EEXIST: 'it is a file',
};

/**
 * Makes a folder for results, and those above it that lack; one that is there is as good. Node's own way to do so asks for ever where a
 * file system takes no new folder into one that is there, as /proc.
 *
 * @param named stands for it in messages
 * @throws OUTPUT_FAILED, OUTPUT_FULL
 */
export async function makeFolder(path: string, named: string = path): Promise<void> {
  try {
    await make(path);
  } catch (error) {
    throw unwritable(named, error, WHY_NONE) ?? toStromaflowError(error, 'OUTPUT_FAILED', named);
  }
}

/** The error for a folder that takes nothing; undefined where the system's error is about something else. */
export function unwritable(folder: string, cause: unknown, reasons = WHY_NOT): StromaflowError | undefined {
  const { code = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  const why = reasons[code];
  if (why === undefined) return undefined;
  const fix = 'give a folder that this user may write to';
  return new StromaflowError('OUTPUT_FAILED', `${folder}: nothing can be written there, ${why} (${code})`, {
    cause,
    fix,
  });
}

async function make(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return;
    const above = dirname(path);
    const isLacking = (error as NodeJS.ErrnoException).code === 'ENOENT' && above !== path;
    if (!isLacking || (await isFolder(above))) throw error;
    await make(above);
    await make(path);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    facts => facts.isDirectory(),
    () => false,
  );
