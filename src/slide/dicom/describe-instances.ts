import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { GREY_NOTE, type SlideNote } from '../note.js';
import type { SlideFacts } from '../slide-facts.js';
import { countTiles } from '../stored-tiles.js';
import { type ChosenLevel, type ChosenLevels, chooseLevels } from './choose-levels.js';
import { colourNotes } from './colour-notes.js';
import { copyNotes } from './copies.js';
import { DICOM_KIND, type DicomDescription } from './description.js';
import type { DicomInstance, InstanceHeader } from './instance.js';
import { describeLevel, isByPosition } from './level.js';
import { droppedNotes, planeNotes } from './planes.js';

/**
 * Puts a slide together from its instances; reads no pixels but the head of a frame.
 *
 * @param path what the slide is called by: a file or a folder.
 * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED, SLIDE_TRUNCATED
 */
export function describeInstances(path: string, all: readonly DicomInstance[]): SlideFacts {
  const chosen = chooseLevels(all, path);
  const instances = chosen.levels.flatMap(level => level.instances);
  const places = new Map(instances.map((instance, index) => [instance, index]));
  const dropped: SlideNote[] = [];
  const grids = chosen.levels.map(level =>
    describeLevel(
      level.instances,
      level,
      instance => places.get(instance)!,
      frames => dropped.push(...droppedNotes(frames)),
    ),
  );
  const files = instances.map(({ path: file, syntax, dataAt }) => ({
    path: file,
    deflatedFrom: syntax.deflated ? dataAt : undefined,
  }));
  const known = outline(chosen);
  const { levels } = known;
  return {
    ...known,
    notes: [
      ...known.notes,
      ...dropped,
      ...copyNotes(chosen.copies, path),
      ...colourNotes(chosen.levels.map(level => level.instances[0]!)),
    ],
    fingerprint: fingerprint(instances),
    stored: level => {
      const tiles = countTiles({ levels, has: (at, tile) => grids[at]!.parts[tile]! >= 0 }, level);
      // A level whose frames state their places lists no others: where none is, nothing was scanned.
      return isByPosition(chosen.levels[level]!.instances[0]!)
        ? { ...tiles, expected: tiles.seen, drawn: 0, sparse: true }
        : tiles;
    },
    describe: (geometry): DicomDescription => ({
      kind: DICOM_KIND,
      path,
      files,
      identity: identityOf(chosen.levels),
      levels: grids.map((grid, level) => ({ ...grid, ...geometry[level]! })),
    }),
  };
}

/** What a slide's levels say before any frame is looked for. */
export function outline(
  chosen: ChosenLevels<InstanceHeader>,
): Pick<SlideFacts, 'format' | 'mpp' | 'levels' | 'properties'> & { readonly notes: readonly SlideNote[] } {
  const { instances } = chosen.levels[0]!;
  const [finest] = instances;
  const levels = chosen.levels.map(({ instances: [instance], width, height, downsample }) => {
    const { columns, rows } = instance!.facts;
    return { width, height, downsample, tileWidth: columns, tileHeight: rows };
  });
  const { spacing } = finest!;
  return {
    format: 'DICOM whole slide',
    mpp: spacing && { x: spacing.x, y: spacing.y },
    levels,
    properties: properties(finest!),
    notes: [
      ...chosen.notes,
      ...planeNotes(instances),
      ...(spacing?.stated === false ? [VOLUME_NOTE] : []),
      ...(finest!.facts.samplesPerPixel === 1 ? [GREY_NOTE] : []),
    ],
  };
}

const VOLUME_NOTE: SlideNote = {
  code: 'assumed',
  message: 'no Pixel Spacing: the spacing is worked out from the width and height of the imaged volume',
};

/** Names a level for as long as it is the same one: its size, and the UID of the concatenation or instance that holds it. */
export const levelName = ([first]: readonly InstanceHeader[]): string => {
  const { matrixColumns, matrixRows, concatenation, instance } = first!.facts;
  return `${matrixColumns}x${matrixRows} ${concatenation || instance}`;
};

/** The same for a slide while its instances come and when all are there. Says nothing about the UIDs that it is made of. */
export const identityOf = ([finest]: readonly ChosenLevel<InstanceHeader>[]): string =>
  createHash('sha256')
    .update(`${finest!.instances[0]!.facts.series} ${levelName(finest!.instances)}`)
    .digest('hex')
    .slice(0, 16);

/** Names a level of a slide: another finest level makes it another slide, of which nothing was read. */
export const followedName = (levels: readonly ChosenLevel<InstanceHeader>[], level: number): string =>
  `${identityOf(levels)} ${levelName(levels[level]!.instances)}`;

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
