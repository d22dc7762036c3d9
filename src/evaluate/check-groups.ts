import { basename, extname } from 'node:path';
import type { CheckedImage } from './checked-image.js';
import type { Finding } from './finding.js';
import type { LabelledSet } from './labelled-set.js';
import { SPLIT_FOLDERS } from './layout.js';
import { type Region, regionOf, withoutRegion } from './region.js';
import { SPLITS, type Split } from './split.js';

/** Faults that no image shows alone: leaks between splits, duplicates, overlapping regions, split files of another set. */
export function checkGroups(images: readonly CheckedImage[], set: LabelledSet, split: Split | undefined): Finding[] {
  const sides = (image: CheckedImage) => sidesOf(image, split);
  return [
    ...patientLeaks(images, sides, split),
    ...duplicates(images, sides),
    ...overlaps(images),
    ...ambiguousNames(set),
    ...(split ? splitMismatches(images, split) : []),
  ];
}

/** Splits an image is in: by the split file, else by a train/val/test folder; empty when there is neither. */
function sidesOf({ item }: CheckedImage, split: Split | undefined): readonly string[] {
  const entry = split?.images[item.id];
  if (entry?.split) return [entry.split];
  if (entry?.patches !== undefined) {
    return SPLITS.filter(name => entry.patches?.includes({ train: 't', validation: 'v', test: 'e' }[name]));
  }
  return (SPLIT_FOLDERS as readonly string[]).includes(item.subset) ? [item.subset] : [];
}

function patientLeaks(
  images: readonly CheckedImage[],
  sides: (image: CheckedImage) => readonly string[],
  split: Split | undefined,
): Finding[] {
  const byPatient = new Map<string, Set<string>>();
  for (const image of images) {
    const seen = byPatient.get(image.item.patient) ?? new Set();
    for (const side of sides(image)) seen.add(side);
    byPatient.set(image.item.patient, seen);
  }
  const leaks = [...byPatient].filter(([, seen]) => seen.size > 1);
  if (leaks.length === 0) return [];
  // A split by patches puts patients on several sides by intent: said once, for whoever reads the score.
  if (split?.by === 'patch') {
    const message = `the split is by patch: ${leaks.length} of ${byPatient.size} patients are on several sides, so its score is optimistic`;
    return [{ severity: 'warning', kind: 'patient-leak', message }];
  }
  return leaks.map(([patient, seen]) => {
    const message = `patient ${patient} is in ${[...seen].join(' and ')}`;
    return { severity: 'fault', kind: 'patient-leak', message };
  });
}

function duplicates(images: readonly CheckedImage[], sides: (image: CheckedImage) => readonly string[]): Finding[] {
  const first = new Map<string, CheckedImage>();
  return images.flatMap((image): Finding[] => {
    if (!image.hash) return [];
    const twin = first.get(image.hash);
    if (!twin) {
      first.set(image.hash, image);
      return [];
    }
    const [a, b] = [sides(twin), sides(image)];
    const leak = a.some(side => b.some(other => other !== side));
    const where = leak ? `, and they are in ${a.join('/')} and ${b.join('/')}` : '';
    const message = `${image.item.imagePath}: the same picture as ${twin.item.imagePath}${where}`;
    return [{ severity: leak ? 'fault' : 'warning', kind: leak ? 'duplicate-leak' : 'duplicate', message }];
  });
}

/** Regions of one slide and subset that overlap: their pixels would count twice. */
function overlaps(images: readonly CheckedImage[]): Finding[] {
  const bySlide = new Map<string, { path: string; region: Region }[]>();
  const findings: Finding[] = [];
  for (const { item } of images) {
    const name = basename(item.imagePath, extname(item.imagePath));
    const region = regionOf(name);
    if (!region) continue;
    const key = `${item.subset} ${withoutRegion(name)}`;
    const others = bySlide.get(key) ?? [];
    const hit = others.find(
      ({ region: other }) =>
        other[0] < region[2] && region[0] < other[2] && other[1] < region[3] && region[1] < other[3],
    );
    if (hit) {
      const message = `${item.imagePath}: its region overlaps that of ${hit.path}`;
      findings.push({ severity: 'warning', kind: 'overlap', message });
    }
    bySlide.set(key, [...others, { path: item.imagePath, region }]);
  }
  return findings;
}

/** a.png and a.jpg in one folder: only the first is paired with a's mask. */
function ambiguousNames(set: LabelledSet): Finding[] {
  return set.found.ambiguous.map(path => ({
    severity: 'warning',
    kind: 'ambiguous-name',
    message: `${path}: another file has the same name but for its ending; this one is not used`,
  }));
}

function splitMismatches(images: readonly CheckedImage[], split: Split): Finding[] {
  const ids = new Set(images.map(({ item }) => item.id));
  const strangers = Object.keys(split.images).filter(id => !ids.has(id));
  const unplaced = images.filter(({ item }) => !split.images[item.id]);
  const moved = images.filter(({ item }) => (split.images[item.id]?.patient ?? item.patient) !== item.patient);
  return [
    ...strangers.map(id => `the split file names ${id}, which is not in the set`),
    ...unplaced.map(({ item }) => `${item.imagePath}: it is not in the split file, and counts as test`),
    ...moved.map(
      ({ item }) =>
        `${item.imagePath}: patient ${item.patient} here, ${split.images[item.id]?.patient} in the split file`,
    ),
  ].map(message => ({ severity: 'warning', kind: 'split-mismatch', message }));
}
