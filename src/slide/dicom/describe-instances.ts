import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { StromaflowError } from '../../errors.js';
import type { SlideFacts } from '../slide-facts.js';
import { countTiles } from '../stored-tiles.js';
import { DICOM_KIND, type DicomDescription } from './description.js';
import { ASSOCIATED, type DicomInstance, type InstanceHeader } from './instance.js';
import { describeLevel, isByPosition } from './level.js';

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
  const places = new Map(instances.map((instance, index) => [instance, index]));
  const grids = groups.map(group => describeLevel(group, instance => places.get(instance)!));
  const files = instances.map(({ path: file, syntax, dataAt }) => ({
    path: file,
    deflatedFrom: syntax.deflated ? dataAt : undefined,
  }));
  const { levels, ...facts } = outline(groups);
  return {
    ...facts,
    levels,
    fingerprint: fingerprint(instances),
    stored: level => {
      const tiles = countTiles({ levels, has: (at, tile) => grids[at]!.parts[tile]! >= 0 }, level);
      // A level whose frames state their places lists no others: where none is, nothing was scanned.
      return isByPosition(groups[level]![0]!) ? { ...tiles, expected: tiles.seen, drawn: 0, sparse: true } : tiles;
    },
    describe: (geometry): DicomDescription => ({
      kind: DICOM_KIND,
      path,
      files,
      identity: identityOf(groups),
      levels: grids.map((grid, level) => ({ ...grid, ...geometry[level]! })),
    }),
  };
}

/** What a slide's levels say before any frame is looked for. */
export function outline(groups: readonly (readonly InstanceHeader[])[]): Omit<SlideFacts, 'fingerprint' | 'describe'> {
  const finest = groups[0]![0]!;
  const levels = groups.map(([instance]) => {
    const { matrixColumns: width, matrixRows: height, columns, rows } = instance!.facts;
    const downsample = (finest.facts.matrixColumns / width + finest.facts.matrixRows / height) / 2;
    return { width, height, downsample, tileWidth: columns, tileHeight: rows };
  });
  return { format: 'DICOM whole slide', mpp: finest.mpp, levels, properties: properties(finest) };
}

/**
 * Levels, finest first: instances of one size, or of one concatenation. Of two that show the same, the first is taken.
 *
 * @param instances one at least.
 */
export function groupLevels<T extends InstanceHeader>(instances: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
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

/** Names a level for as long as it is the same one: its size, and the UID of the concatenation or instance that holds it. */
export const levelName = ([first]: readonly InstanceHeader[]): string => {
  const { matrixColumns, matrixRows, concatenation, instance } = first!.facts;
  return `${matrixColumns}x${matrixRows} ${concatenation || instance}`;
};

/** The same for a slide while its instances come and when all are there. Says nothing about the UIDs that it is made of. */
export const identityOf = (groups: readonly (readonly InstanceHeader[])[]): string =>
  createHash('sha256')
    .update(`${groups[0]![0]!.facts.series} ${levelName(groups[0]!)}`)
    .digest('hex')
    .slice(0, 16);

function fingerprint(instances: readonly DicomInstance[]): string {
  const hash = createHash('sha256');
  for (const { path, size, modified, facts } of instances.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${basename(path)}\n${facts.instance} ${size} ${Math.trunc(modified)}\n`);
  return hash.digest('hex').slice(0, 32);
}

/** Only values of the shape these attributes have: a free text in their place must not slip through. */
function properties({ facts, syntax }: InstanceHeader): Record<string, string> {
  const found: Record<string, string> = { icc: facts.hasIcc ? 'present' : 'absent', compression: syntax.name };
  if (/^\d{1,3}(\.\d+)?$/.test(facts.objective)) found['objective'] = facts.objective;
  if (/^[\w .-]{1,32}$/.test(facts.scanner)) found['scanner'] = facts.scanner;
  return found;
}
