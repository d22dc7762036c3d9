import { statSync } from 'node:fs';
import { planPatches } from '../../read/plan.js';
import { type ChosenLevel, chooseLevels } from '../../slide/dicom/choose-levels.js';
import { colourNotes } from '../../slide/dicom/colour-notes.js';
import { headerCopyNotes } from '../../slide/dicom/copies.js';
import { describeInstances, followedName, outline } from '../../slide/dicom/describe-instances.js';
import type { DicomInstance, InstanceHeader } from '../../slide/dicom/instance.js';
import { describeLevel } from '../../slide/dicom/level.js';
import { isMarkedDone } from '../../slide/marked-done.js';
import type { SlideNote } from '../../slide/note.js';
import { readHere } from '../../slide/readable.js';
import type { OpenedSlide, SlideInfo } from '../../slide/slide.js';
import { withSpacing } from '../../slide/slide-facts.js';
import { unreadable } from '../../slide/tiff/probe.js';
import type { CandidateFacts, OpenedCandidate } from '../../watch/watch-folder.js';
import type { GrowingOptions } from '../growing-options.js';
import type { LiveSlide } from '../live-slide.js';
import { WholeSlide } from '../whole-slide.js';
import { levelContent } from './content.js';
import { GrowingDicom } from './growing-dicom.js';
import { isAllThere } from './growing-level.js';
import type { SeriesFiles } from './series-files.js';

/**
 * Opens a DICOM slide of a watched folder: as a growing one as soon as an instance of it is whole and others are announced
 * and not there; as a whole one when all that are announced are there and no file changed for the settling time. Its
 * levels are those of which a file has its header, whole or not. A level that was reduced from a finer one (RESAMPLED)
 * says that this is to come: it is waited for, for as long as a slide may stall.
 *
 * @returns undefined when the level that is wanted was opened whole before, and nothing of it changed.
 *
 * @throws SLIDE_SPACING when the known levels are too coarse, and the errors of openSlide, while it cannot be opened.
 */
export async function openDicomSeries(
  files: SeriesFiles,
  { quiet }: CandidateFacts,
  options: GrowingOptions & { readonly spacing?: number | undefined },
): Promise<OpenedCandidate<WholeSlide | LiveSlide> | undefined> {
  const { settleSeconds, stallSeconds, signal } = options;
  const { path, folder } = files;
  const isOver = isMarkedDone(folder) || quiet >= settleSeconds;
  await files.look(isOver);
  const hint = files.listedHint;
  signal?.throwIfAborted();
  if (files.headers.length === 0) throw files.error ?? unreadable(path, 'may still be written');
  if (mayBeReduced(files.headers) && !isMarkedDone(folder) && quiet <= stallSeconds) return { later: true };
  const chosen = chooseLevels(files.headers);
  const { levels } = chosen;
  const whole = wholeInstances(files, isOver ? 0 : settleSeconds, isMarkedDone(folder));
  const known = outline(chosen);
  const colours = colourNotes(levels.flatMap(({ instances }) => whole.get(instances[0]!.path) ?? []));
  // What shares its folder with others is called by one of its files.
  const at = path === folder ? folder : levels[0]!.instances[0]!.path;
  const info: Omit<SlideInfo, 'fingerprint'> = {
    id: options.id!,
    path: at,
    format: known.format,
    properties: known.properties,
    ...withSpacing(
      at,
      { ...known, notes: [...known.notes, ...headerCopyNotes(chosen.copies), ...colours] },
      options.mpp,
    ),
  };
  const { spacing } = options;
  const { level } = planPatches({ ...info, fingerprint: '' }, spacing === undefined ? {} : { spacing });
  const isThere = levels.map(({ instances }) => isLevelThere(instances, whole, isOver));
  if (isThere[level]) {
    const name = followedName(levels, level);
    const content = contentOf(levels[level]!, whole);
    if (files.followed?.name === name && files.followed.content === content) return undefined;
    // What comes later and leaves this level as it is changes nothing.
    if (isOver || !isThere.every(Boolean)) files.followed = { name, content };
  } else files.followed = undefined;
  if (isThere.every(Boolean) && !files.hasStalled) {
    if (!isOver) throw unreadable(path, 'may still be written');
    const instances = levels.flatMap(level => level.instances.map(instance => whole.get(instance.path)!));
    return openWhole(files, instances, hint, options, () => {
      const { fingerprint, describe, notes: found = [] } = describeInstances(folder, instances);
      // What frames tell that headers did not.
      const isNew = ({ code, message }: SlideNote) =>
        code === 'image-left-out' && !info.notes?.some(note => note.message === message);
      const notes = [...(info.notes ?? []), ...found.filter(isNew)];
      return { info: { ...info, notes, fingerprint: fingerprint! }, source: describe(info.levels) };
    });
  }
  if (whole.size === 0) throw files.error ?? unreadable(path, 'may still be written');
  const live = new GrowingDicom(files, info, levels, options);
  return { value: live, until: live.closed };
}

async function openWhole(
  files: SeriesFiles,
  instances: readonly DicomInstance[],
  hint: string,
  options: GrowingOptions,
  open: () => OpenedSlide,
): Promise<OpenedCandidate<WholeSlide>> {
  const paths = instances.map(({ path }) => path);
  const slide = await WholeSlide.open(paths, options, () => {
    // What was inspected before must be what is watched from now on.
    for (const { path, size, modified } of instances) {
      const stats = statSync(path);
      if (stats.size !== size || stats.mtimeMs !== modified) throw unreadable(path, 'may still be written');
    }
    return readHere(open(), options.signal);
  });
  slide.keepLooking();
  const until = slide.closed.then(again => {
    // What was given up is not done, though it was noted as such.
    if (again) files.followed = undefined;
    // It watches the files that it was opened from: a further level may have come beside them.
    return again || hasChangedSince(files, hint);
  });
  return { value: slide, until };
}

function hasChangedSince(files: SeriesFiles, hint: string): boolean {
  try {
    return files.hint !== hint;
  } catch {
    // A share that answers with an error tells nothing: whoever opens the slide again finds it as it was.
    return true;
  }
}

/** By path. */
function wholeInstances(files: SeriesFiles, settleSeconds: number, done: boolean): Map<string, DicomInstance> {
  const whole = new Map<string, DicomInstance>();
  for (const file of files.files.values()) {
    const instance = file.whole(settleSeconds, done);
    if (instance && files.holds(instance)) whole.set(file.path, instance);
  }
  return whole;
}

function isLevelThere(
  group: readonly InstanceHeader[],
  whole: ReadonlyMap<string, DicomInstance>,
  isOver: boolean,
): boolean {
  if (!group.every(({ path }) => whole.has(path))) return false;
  return isAllThere(group) ?? isOver;
}

/** What the level would be when it was followed to its end now. */
function contentOf(level: ChosenLevel<InstanceHeader>, whole: ReadonlyMap<string, DicomInstance>): string {
  const instances = level.instances.map(({ path }) => whole.get(path)!);
  const grid = describeLevel(instances, level, instance => instances.indexOf(instance));
  const files = instances.map(({ path, syntax, dataAt }) => ({
    path,
    deflatedFrom: syntax.deflated ? dataAt : undefined,
  }));
  return levelContent(grid, files);
}

/** The largest image there is was reduced from a larger one, which is to come. */
const mayBeReduced = (headers: readonly InstanceHeader[]): boolean =>
  headers.reduce((a, b) => (b.facts.matrixColumns > a.facts.matrixColumns ? b : a)).facts.resampled;
