import { statSync } from 'node:fs';
import { describeInstances, groupLevels, levelName, outline } from '../../slide/dicom/describe-instances.js';
import type { DicomDescription } from '../../slide/dicom/description.js';
import type { DicomInstance, InstanceHeader } from '../../slide/dicom/instance.js';
import { planPatches } from '../../slide/plan.js';
import type { OpenedSlide, SlideInfo } from '../../slide/slide.js';
import { withSpacing } from '../../slide/slide-facts.js';
import { unreadable } from '../../slide/tiff-probe.js';
import type { CandidateFacts, OpenedCandidate } from '../../watch/watch-folder.js';
import { type GrowingOptions, isMarkedDone } from '../growing-tiff.js';
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
  signal?.throwIfAborted();
  if (files.headers.length === 0) throw files.error ?? unreadable(path, 'may still be written');
  const groups = groupLevels(files.headers);
  if (groups[0]![0]!.facts.resampled && !isMarkedDone(folder) && quiet <= stallSeconds) return { later: true };
  const known = outline(groups);
  // What shares its folder with others is called by one of its files.
  const at = path === folder ? folder : groups[0]![0]!.path;
  const info: Omit<SlideInfo, 'fingerprint'> = {
    id: options.id!,
    path: at,
    format: known.format,
    properties: known.properties,
    ...withSpacing(at, known, options.mpp),
  };
  const { spacing } = options;
  const { level } = planPatches({ ...info, fingerprint: '' }, spacing === undefined ? {} : { spacing });
  const whole = wholeInstances(files, isOver ? 0 : settleSeconds);
  const isThere = groups.map(group => isLevelThere(group, whole, isOver));
  if (isThere[level]) {
    const name = levelName(groups[level]!);
    const content = contentOf(folder, groups[level]!, whole);
    if (files.followed.get(name) === content) return undefined;
    // What comes later and leaves this level as it is changes nothing.
    if (isOver || !isThere.every(Boolean)) files.followed.set(name, content);
  }
  if (isThere.every(Boolean) && !files.hasStalled) {
    if (!isOver) throw unreadable(path, 'may still be written');
    const instances = groups.flat().map(instance => whole.get(instance.path)!);
    return openWhole(files, instances, options, () => {
      const { fingerprint, describe } = describeInstances(folder, instances);
      return { info: { ...info, fingerprint: fingerprint! }, source: describe(info.levels) };
    });
  }
  if (whole.size === 0) throw files.error ?? unreadable(path, 'may still be written');
  const live = new GrowingDicom(files, info, groups, options);
  return { value: live, until: live.closed };
}

async function openWhole(
  { followed }: SeriesFiles,
  instances: readonly DicomInstance[],
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
    return open();
  });
  slide.keepLooking();
  // What was given up is not done, though it was noted as such.
  void slide.closed.then(again => again && followed.clear());
  return { value: slide, until: slide.closed };
}

/** By path. */
function wholeInstances(files: SeriesFiles, settleSeconds: number): Map<string, DicomInstance> {
  const whole = new Map<string, DicomInstance>();
  for (const file of files.files.values()) {
    const instance = file.whole(settleSeconds);
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
function contentOf(
  folder: string,
  group: readonly InstanceHeader[],
  whole: ReadonlyMap<string, DicomInstance>,
): string {
  const facts = describeInstances(
    folder,
    group.map(({ path }) => whole.get(path)!),
  );
  const { files, levels } = facts.describe(facts.levels.map(level => ({ ...level, mpp: 1 }))) as DicomDescription;
  return levelContent(levels[0]!, files);
}
