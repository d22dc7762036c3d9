import { closeSync, openSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { StromaflowError } from '../../errors.js';
import type { SlideFacts } from '../slide-facts.js';
import { describeInstances } from './describe-instances.js';
import { type DicomInstance, isDicom, readHead, readInstance } from './instance.js';

/** Entries of a folder that are looked at. */
const MAX_FILES = 4096;

/**
 * The instances of the slide at `path`: those that show the specimen. A file stands for its series: levels are instances of their
 * own, beside it. A folder must hold one series; what is no instance of a whole slide, or of a label and the like, is passed over,
 * whatever is wrong with it.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE, SLIDE_TRUNCATED, SLIDE_UNSUPPORTED
 */
export async function readSeries(path: string, signal?: AbortSignal): Promise<DicomInstance[]> {
  const folder = (await stat(path)).isDirectory();
  const series = folder ? undefined : readHead(path).series;
  const given = folder ? undefined : readInstance(path);
  const instances = given ? [given] : [];
  for (const name of await dicomFiles(folder ? path : dirname(path))) {
    // Headers are read synchronously; a folder of many slides must not hold up everything else.
    await setImmediate();
    signal?.throwIfAborted();
    const file = join(folder ? path : dirname(path), name);
    if (file === join(path)) continue;
    const instance = series === undefined ? readInstance(file) : sibling(file, series);
    if (instance) instances.push(instance);
  }
  if (instances.length === 0)
    throw new StromaflowError(
      'SLIDE_UNREADABLE',
      folder
        ? `${path}: holds no DICOM whole slide, or a label or an overview of one alone`
        : `${path}: is a DICOM file, but not a whole-slide image, nor beside one of its series`,
    );
  const found = new Set(instances.map(({ facts }) => facts.series));
  if (found.size > 1)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: holds ${found.size} slides`, {
      fix: 'give one file of the slide that is meant',
    });
  return instances;
}

/** True when the folder holds a DICOM file; looks at names first, and at few files. */
export async function holdsDicom(folder: string): Promise<boolean> {
  return (await dicomFiles(folder, 1)).length > 0;
}

/** Facts of the DICOM slide that a file or a folder is part of. */
export async function readDicomFacts(path: string, signal?: AbortSignal): Promise<SlideFacts> {
  return describeInstances(path, await readSeries(path, signal));
}

/**
 * An instance beside the given one, when it belongs to its series. Files that are something else do not matter, but one
 * of the series that is damaged does.
 */
function sibling(path: string, series: string): DicomInstance | undefined {
  let belongs = false;
  try {
    const head = readHead(path);
    belongs = head.isSlide && head.series === series && series !== '';
    return belongs ? readInstance(path) : undefined;
  } catch (error) {
    if (belongs) throw error;
    return undefined;
  }
}

async function dicomFiles(folder: string, most = MAX_FILES): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: string[] = [];
  // Links are not followed: a folder's slide lies in the folder.
  for (const entry of entries.filter(item => item.isFile() && !item.name.startsWith('.')).slice(0, MAX_FILES)) {
    if (found.length >= most) break;
    await setImmediate();
    if (hasMagic(join(folder, entry.name))) found.push(entry.name);
  }
  return found.sort();
}

function hasMagic(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    return isDicom(fd);
  } finally {
    closeSync(fd);
  }
}
