import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { type StromaflowError, toStromaflowError } from '../errors.js';
import { readImageHeader, SPACING_TOLERANCE } from '../slide/image/image-source.js';
import { checkGroups } from './check-groups.js';
import { sampleSlideLabels } from './check-slide.js';
import type { CheckedImage } from './checked-image.js';
import { Balance, type ClassBalance } from './class-balance.js';
import type { Finding } from './finding.js';
import { addFacts, describeClasses, describeLeftOut, type LabelFacts, NO_FACTS, namedFacts } from './label-facts.js';
import { isAnnotation } from './label-source.js';
import type { LabelledImage } from './labelled-item.js';
import { type LabelledSetOptions, openLabelledSet } from './labelled-set.js';
import { describeLabelMap, LABEL_MEANINGS, type LabelMap, UNKNOWN } from './labels.js';
import { readMaskImage, valueHistogram } from './mask-image.js';
import type { OpenItemOptions } from './open-item.js';
import { regionOf } from './region.js';
import type { Split } from './split.js';

export interface LabelReport {
  readonly folder: string;
  readonly layout: string;
  /** The label map, a line a class. */
  readonly map: readonly string[];
  readonly images: number;
  readonly patients: number;
  /** Spacings that occur, in µm/px, and how many images have each. */
  readonly spacings: readonly { readonly mpp: number; readonly images: number }[];
  readonly classes: readonly ClassBalance[];
  /** Of annotations: their classes, what each counts as, and what takes no part; all files together. */
  readonly annotations: Pick<LabelFacts, 'classes' | 'leftOut'>;
  readonly findings: readonly Finding[];
}

export interface CheckOptions extends LabelledSetOptions {
  /** Looked at for leaks. */
  readonly split?: Split | undefined;
  /** Opens whole-slide formats. */
  readonly openSlide: OpenItemOptions['openSlide'];
}

/**
 * Reads a whole labelled set, images included, and reports everything that is wrong with it. Keeps a few hundred bytes an image.
 * @throws what openLabelledSet throws
 */
export async function checkLabels(folder: string, options: CheckOptions): Promise<LabelReport> {
  const findings: Finding[] = [];
  const onFault = (fault: StromaflowError) => findings.push({ severity: 'fault', kind: 'item', message: named(fault) });
  const set = await openLabelledSet(folder, { ...options, strict: false, onFault });
  const balance = new Balance();
  let annotations = NO_FACTS;
  const images: CheckedImage[] = [];
  const spacings = new Map<number, number>();
  for await (const item of set) {
    try {
      const { counts, mpp, hash, facts } = await checkItem(item, set.map, options, findings);
      balance.add(counts, item);
      annotations = addFacts(annotations, facts);
      findings.push(...factFindings(item, facts, counts, set.map));
      images.push({ item, hash });
      spacings.set(mpp, (spacings.get(mpp) ?? 0) + 1);
      if (!hasLabels(counts, set.map)) {
        findings.push({ severity: 'warning', kind: 'unlabelled', message: `${item.maskPath}: every pixel is ignored` });
      }
    } catch (error) {
      findings.push({ severity: 'fault', kind: 'unreadable-image', message: named(toStromaflowError(error)) });
    }
  }
  findings.push(...checkGroups(images, set, options.split), ...balance.findings(set.map, images.length));
  return {
    folder,
    layout: set.layout,
    map: describeLabelMap(set.map),
    images: images.length,
    patients: new Set(images.map(({ item }) => item.patient)).size,
    spacings: [...spacings].sort((a, b) => a[0] - b[0]).map(([mpp, count]) => ({ mpp, images: count })),
    classes: balance.classes(set.map),
    annotations: { classes: annotations.classes, leftOut: annotations.leftOut },
    findings,
  };
}

/** The report in lines for a terminal. */
export function describeLabelReport(report: LabelReport): string[] {
  const faults = report.findings.filter(finding => finding.severity === 'fault');
  const total = report.classes.reduce((sum, item) => sum + item.pixels, 0);
  const share = (pixels: number) => (total > 0 ? `${((100 * pixels) / total).toFixed(2)} %` : '–').padStart(9);
  return [
    `${report.folder}: ${report.images} images of ${report.patients} patients (${report.layout})`,
    'label map',
    ...report.map.map(line => `  ${line}`),
    'spacing',
    ...report.spacings.map(({ mpp, images }) => `  ${mpp.toFixed(3)} µm/px  ${images} images`),
    'classes',
    ...report.classes.map(
      ({ value, name, meaning, pixels, images }) =>
        `  ${String(value).padStart(3)}  ${meaning.padEnd(8)} ${share(pixels)} of pixels  in ${images} images  ${name}`,
    ),
    ...annotationLines(report.annotations),
    ...report.findings.map(({ severity, message }) => `${severity.padEnd(7)} ${message}`),
    `${faults.length} faults, ${report.findings.length - faults.length} warnings`,
  ];
}

/** The classes of annotations, and what takes no part. */
function annotationLines({ classes, leftOut }: LabelReport['annotations']): string[] {
  const without = describeLeftOut(leftOut);
  return [
    ...(classes.length > 0 ? ['annotations', ...describeClasses(classes).map(line => `  ${line}`)] : []),
    ...(without.length > 0 ? ['left out', ...without.map(line => `  ${line}`)] : []),
  ];
}

/** What a truth itself tells: how it was laid on its picture, and classes or values that nobody declared. */
function factFindings(item: LabelledImage, facts: LabelFacts, counts: Float64Array, map: LabelMap): Finding[] {
  const { maskPath, labels } = item;
  const unknown = facts.classes.filter(({ meaning }) => meaning === 'unknown');
  const values = isAnnotation(labels)
    ? []
    : [...counts.keys()].filter(value => counts[value]! > 0 && map.meanings[value] === UNKNOWN);
  const outside = facts.leftOut.outside ?? 0;
  return [
    ...namedFacts(maskPath, facts).notes.map(note => warning('alignment', note)),
    ...(outside > 0 ? [warning('outside', `${maskPath}: ${describeLeftOut({ outside })[0]}`)] : []),
    ...unknown.map(({ name, areas }) =>
      fault('unknown-class', `${maskPath}: class '${name}' is not declared, ${areas} of its annotations are left out`),
    ),
    ...(values.length > 0
      ? [fault('unknown-value', `${maskPath}: label value ${values.slice(0, 5).join(', ')} is not declared`)]
      : []),
  ];
}

/** Where one option mends it, that is said. */
const named = ({ code, message, fix }: StromaflowError): string =>
  code === 'SLIDE_NO_MPP' ? `${message}: ${fix}` : message;

const warning = (kind: Finding['kind'], message: string): Finding => ({ severity: 'warning', kind, message });
const fault = (kind: Finding['kind'], message: string): Finding => ({ severity: 'fault', kind, message });

async function checkItem(item: LabelledImage, map: LabelMap, options: CheckOptions, findings: Finding[]) {
  const { openSlide, reading } = options;
  if (item.kind === 'slide') return { ...(await sampleSlideLabels(item, map, openSlide, reading)), hash: undefined };
  const hash = await hashPixels(item.imagePath);
  findings.push(...(await checkSpacing(item)), ...checkRegionSize(item));
  if (/\.jpe?g$/i.test(item.maskPath)) {
    findings.push({ severity: 'warning', kind: 'lossy-mask', message: `${item.maskPath}: JPEG changes label values` });
  }
  const mpp = item.mpp ?? Number.NaN;
  const mask = item.labels.kind === 'mask-image' ? await readMaskImage(item.maskPath, map) : undefined;
  // A mask of the image's size has the image's counts; any other is sampled where the image is.
  if (mask?.width === item.width && mask.height === item.height) {
    return { counts: valueHistogram(mask.values), mpp, hash, facts: NO_FACTS, namedFacts };
  }
  return { ...(await sampleSlideLabels(item, map, openSlide, reading)), mpp, hash };
}

/** Decodes the whole image: damage in its middle shows only here. @throws SLIDE_UNREADABLE */
async function hashPixels(path: string): Promise<string> {
  try {
    const { data, info } = await sharp(path, { failOn: 'warning' })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return createHash('sha256').update(`${info.width} ${info.channels} `).update(data).digest('hex');
  } catch (error) {
    const { message } = toStromaflowError(error);
    throw toStromaflowError(new Error(`${path}: ${message.split('\n', 1)[0]}`), 'SLIDE_UNREADABLE');
  }
}

async function checkSpacing(item: LabelledImage): Promise<Finding[]> {
  const { mpp } = await readImageHeader(item.imagePath);
  if (mpp === undefined || item.mpp === undefined || Math.abs(mpp / item.mpp - 1) <= SPACING_TOLERANCE) return [];
  const message = `${item.imagePath}: its own tag says ${mpp.toFixed(3)} µm/px, the set ${item.mpp.toFixed(3)}`;
  return [{ severity: 'warning', kind: 'spacing', message }];
}

function checkRegionSize({ imagePath, width, height }: LabelledImage): Finding[] {
  const region = regionOf(imagePath);
  if (!region) return [];
  const [named, other] = [region[2] - region[0], region[3] - region[1]];
  if (named === width && other === height) return [];
  const message = `${imagePath}: it has ${width} × ${height} pixels, its name says ${named} × ${other}`;
  return [{ severity: 'fault', kind: 'region-size', message }];
}

const hasLabels = (counts: Float64Array, map: LabelMap): boolean =>
  counts.some((count, value) => count > 0 && LABEL_MEANINGS[map.meanings[value]!] !== 'ignored');
