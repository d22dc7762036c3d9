import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { StromaflowError } from '../../errors.js';
import type { SlideFacts } from '../slide-facts.js';
import { DICOM_KIND, type DicomDescription } from './description.js';
import { type DicomInstance, isDicom, readInstance, tryInstance } from './instance.js';
import { describeLevel } from './level.js';

/** Entries of a folder that are looked at. */
const MAX_FILES = 4096;

/** Images of other things than the specimen are never opened: labels show names. */
const ASSOCIATED = new Set(['LABEL', 'OVERVIEW', 'THUMBNAIL', 'LOCALIZER']);

/**
 * The instances of the slide at `path`. A file stands for its series: levels are instances of their own, beside it. A
 * folder must hold one series; entries that are no DICOM files are passed over.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE, SLIDE_TRUNCATED, SLIDE_UNSUPPORTED
 */
export async function readSeries(path: string, signal?: AbortSignal): Promise<DicomInstance[]> {
  const folder = (await stat(path)).isDirectory();
  const given = folder ? undefined : readInstance(path);
  const instances = given ? [given] : [];
  for (const name of await dicomFiles(folder ? path : dirname(path))) {
    // Headers are read synchronously; a folder of many slides must not hold up everything else.
    await setImmediate();
    signal?.throwIfAborted();
    const file = join(folder ? path : dirname(path), name);
    if (file === join(path)) continue;
    const instance = given ? sibling(file, given) : tryInstance(file);
    if (instance) instances.push(instance);
  }
  const series = new Set(instances.map(({ facts }) => facts.series));
  if (instances.length === 0) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: holds no DICOM whole slide`);
  if (series.size > 1)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: holds ${series.size} slides`, {
      fix: 'give one file of the slide that is meant',
    });
  return instances;
}

/** True when the folder holds a DICOM file; looks at names first, and at few files. */
export async function holdsDicom(folder: string): Promise<boolean> {
  return (await dicomFiles(folder, 1)).length > 0;
}

/**
 * Puts a slide together from its instances; reads no pixels.
 *
 * @param path what the slide is called by: a file or a folder.
 * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED, SLIDE_TRUNCATED
 */
export function describeInstances(path: string, all: readonly DicomInstance[]): SlideFacts {
  const instances = all.filter(({ facts }) => !ASSOCIATED.has(facts.flavour));
  if (instances.length === 0)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: holds a label or an overview, but no slide`);
  const groups = groupLevels(instances);
  const finest = groups[0]![0]!;
  const places = new Map(instances.map((instance, index) => [instance, index]));
  const grids = groups.map(group => describeLevel(group, instance => places.get(instance)!));
  const levels = groups.map(([instance]) => {
    const { matrixColumns: width, matrixRows: height, columns, rows } = instance!.facts;
    const downsample = (finest.facts.matrixColumns / width + finest.facts.matrixRows / height) / 2;
    return { width, height, downsample, tileWidth: columns, tileHeight: rows };
  });
  const files = instances.map(({ path: file, syntax, dataAt }) => ({
    path: file,
    deflatedFrom: syntax.deflated ? dataAt : undefined,
  }));
  return {
    format: 'DICOM whole slide',
    mpp: finest.mpp,
    levels,
    properties: properties(finest),
    fingerprint: fingerprint(instances),
    describe: (geometry): DicomDescription => ({
      kind: DICOM_KIND,
      path,
      files,
      levels: grids.map((grid, level) => ({ ...grid, ...geometry[level]! })),
    }),
  };
}

/** Facts of the DICOM slide that a file or a folder is part of. */
export async function readDicomFacts(path: string, signal?: AbortSignal): Promise<SlideFacts> {
  return describeInstances(path, await readSeries(path, signal));
}

/** Levels, finest first: instances of one size, or of one concatenation. Of two that show the same, the first is taken. */
function groupLevels(instances: readonly DicomInstance[]): DicomInstance[][] {
  const groups = new Map<string, DicomInstance[]>();
  const ordered = instances.toSorted(
    (a, b) =>
      b.facts.matrixColumns - a.facts.matrixColumns ||
      a.facts.instanceNumber - b.facts.instanceNumber ||
      a.facts.part - b.facts.part ||
      (a.path < b.path ? -1 : 1),
  );
  for (const instance of ordered) {
    const { matrixColumns, matrixRows, concatenation } = instance.facts;
    const key = `${matrixColumns}x${matrixRows}`;
    const group = groups.get(key);
    if (!group) groups.set(key, [instance]);
    else if (concatenation !== '' && concatenation === group[0]!.facts.concatenation) group.push(instance);
  }
  const [finest] = groups.values();
  const { matrixColumns, matrixRows } = finest![0]!.facts;
  return [...groups.values()].filter(group => {
    const { facts } = group[0]!;
    const across = matrixColumns / facts.matrixColumns;
    const down = matrixRows / facts.matrixRows;
    const slack = Math.max(0.02, 2 / facts.matrixColumns, 2 / facts.matrixRows);
    return Math.abs(across / down - 1) <= Math.min(0.5, slack);
  });
}

/**
 * An instance beside the given one, when it belongs to its series. Files that are something else do not matter, but one
 * of the series that is damaged does.
 */
function sibling(path: string, given: DicomInstance): DicomInstance | undefined {
  let belongs = false;
  try {
    return tryInstance(path, ({ series }) => {
      belongs = series === given.facts.series && series !== '';
      return belongs;
    });
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

function fingerprint(instances: readonly DicomInstance[]): string {
  const hash = createHash('sha256');
  for (const { path, size, modified, facts } of instances.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${basename(path)}\n${facts.instance} ${size} ${Math.trunc(modified)}\n`);
  return hash.digest('hex').slice(0, 32);
}

/** Only values of the shape these attributes have: a free text in their place must not slip through. */
function properties({ facts, syntax }: DicomInstance): Record<string, string> {
  const found: Record<string, string> = { icc: facts.hasIcc ? 'present' : 'absent', compression: syntax.name };
  if (/^\d{1,3}(\.\d+)?$/.test(facts.objective)) found['objective'] = facts.objective;
  if (/^[\w .-]{1,32}$/.test(facts.scanner)) found['scanner'] = facts.scanner;
  return found;
}
