import { StromaflowError, toStromaflowError } from '../errors.js';
import { readImageHeader, safeId } from '../slide/image/image-source.js';
import { isAnnotation, type LabelFrame, type LabelReading } from './label-source.js';
import { type Candidate, type LabelledImage, type Layout, patientOf, toldPatient } from './labelled-item.js';
import { type LabelClass, type LabelMap, type LabelMapOptions, parseLabelMap, UNKNOWN } from './labels.js';
import { type FoundLayout, findLayout, pairOf } from './layout.js';
import { maskImageSource, readMaskImage, valueHistogram } from './mask-image.js';

export interface LabelledSetOptions extends LabelMapOptions {
  /** Spacing of images whose set does not state it, in µm/px. */
  readonly mpp?: number;
  /** Classes of a set that states none itself: a model bundle's label map. */
  readonly fallbackClasses?: readonly LabelClass[] | undefined;
  /** Truth of a single slide or image: then `path` is that file instead of a folder. */
  readonly labels?: string;
  /** How labels are taken where their files do not say. */
  readonly reading?: LabelReading;
  /** Patient of an image: the first group this captures from the file's name. */
  readonly patient?: RegExp;
  /** Stop at the first fault instead of leaving the item out. */
  readonly strict?: boolean;
  /** Called with each fault: one error, one line, naming the file. */
  readonly onFault?: (fault: StromaflowError) => void;
}

/** A labelled set: its items one after the other, faulty ones left out. Can be walked more than once. */
export interface LabelledSet extends AsyncIterable<LabelledImage> {
  readonly folder: string;
  readonly layout: Layout['name'];
  readonly map: LabelMap;
  readonly reading: LabelReading;
  /** Images found, faulty ones included. */
  readonly size: number;
  /** Images found and truths without an image, before anything was opened. */
  readonly found: Pick<Layout, 'candidates' | 'orphans' | 'ambiguous'>;
}

/**
 * Finds out how a folder is laid out, or takes one slide with its labels, and pairs images with truths. Items are opened and checked as they are asked for.
 * @throws FILE_NOT_FOUND, CONFIG_INVALID (label map), LABELS_INVALID (nothing labelled in the folder)
 */
export async function openLabelledSet(folder: string, options: LabelledSetOptions = {}): Promise<LabelledSet> {
  const layout: FoundLayout =
    options.labels === undefined
      ? await findLayout(folder, options.mpp)
      : await pairOf(folder, options.labels, options.mpp);
  const byName = layout.candidates.some(({ labels }) => labels && isAnnotation(labels));
  const classes = options.classes ?? layout.classes ?? options.fallbackClasses;
  const map = parseLabelMap({ ...options, byName, ...(classes && { classes }) });
  return {
    folder,
    layout: layout.name,
    map,
    reading: options.reading ?? {},
    size: layout.candidates.length,
    found: layout,
    [Symbol.asyncIterator]: () => walk(layout, map, options),
  };
}

async function* walk(layout: Layout, map: LabelMap, options: LabelledSetOptions): AsyncGenerator<LabelledImage> {
  const report = (error: unknown) => {
    const fault = toStromaflowError(error, 'LABELS_INVALID');
    options.onFault?.(fault);
    if (options.strict) throw fault;
  };
  for (const path of layout.orphans) report(new StromaflowError('LABELS_INVALID', `${path}: it has no image`));
  const ids = new Set<string>();
  for (const candidate of layout.candidates) {
    let item: LabelledImage;
    try {
      item = await openCandidate(candidate, map, options, ids);
    } catch (error) {
      report(error);
      continue;
    }
    yield item;
  }
}

async function openCandidate(
  candidate: Candidate,
  map: LabelMap,
  options: LabelledSetOptions,
  ids: Set<string>,
): Promise<LabelledImage> {
  const { labels, imagePath, kind, name, subset } = candidate;
  if (!labels) throw new StromaflowError('LABELS_INVALID', `${imagePath}: it has no mask`);
  const common = {
    id: uniqueId(name, subset, ids),
    patient: patientOf(name, options.patient),
    ...(toldPatient(name, options.patient) === undefined && { patientUnknown: true as const }),
    subset,
    kind,
    imagePath,
    maskPath: labels.path,
    labels,
  };
  if (kind === 'slide') {
    return { ...common, ...(candidate.mpp !== undefined && { mpp: candidate.mpp }), width: 0, height: 0 };
  }
  const header = await readImageHeader(imagePath).catch(error => {
    throw new StromaflowError('LABELS_INVALID', `${toStromaflowError(error).message}`, { cause: error });
  });
  const mpp = candidate.mpp ?? options.mpp ?? header.mpp;
  if (mpp === undefined) throw new StromaflowError('SLIDE_NO_MPP', `${imagePath}: its spacing is not known`);
  const { width, height } = header;
  if (labels.kind === 'mask-image') {
    await checkMask(labels.path, { width, height, spacing: { x: mpp, y: mpp } }, map, options.reading);
  }
  return { ...common, mpp, width, height };
}

/** @throws LABELS_INVALID naming the mask: it does not fit its image, or has a value that no class declares. */
async function checkMask(path: string, frame: LabelFrame, map: LabelMap, reading?: LabelReading): Promise<void> {
  const mask = await readMaskImage(path, map);
  maskImageSource(mask, frame, reading);
  const counts = valueHistogram(mask.values);
  const unknown = [...counts.keys()].filter(value => counts[value]! > 0 && map.meanings[value] === UNKNOWN);
  if (unknown.length > 0) {
    throw new StromaflowError(
      'LABELS_INVALID',
      `${path}: label value ${unknown.slice(0, 5).join(', ')} is not declared`,
      {
        fix: 'declare it with --positive, --negative or --ignore, or correct the mask',
      },
    );
  }
}

function uniqueId(name: string, subset: string, ids: Set<string>): string {
  let id = safeId(name);
  if (ids.has(id)) id = safeId(`${name}-${subset}`);
  for (let n = 2; ids.has(id); n++) id = safeId(`${name}-${subset}-${n}`);
  ids.add(id);
  return id;
}
