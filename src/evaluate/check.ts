import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { type StromaflowError, toStromaflowError } from '../errors.js';
import { readImageHeader, SPACING_TOLERANCE } from '../slide/image-source.js';
import { checkGroups } from './check-groups.js';
import { sampleSlideLabels } from './check-slide.js';
import type { LabelledImage } from './labelled-item.js';
import { type LabelledSetOptions, openLabelledSet } from './labelled-set.js';
import {
  describeLabelMap,
  HIGHEST_UNDECLARED_VALUE,
  LABEL_MEANINGS,
  type LabelMap,
  type LabelMeaning,
  labelName,
} from './labels.js';
import { readMaskImage, valueHistogram } from './mask-image.js';
import type { OpenItemOptions } from './open-item.js';
import { regionOf } from './region.js';
import type { Split } from './split.js';

/** What is wrong with a set, or looks wrong. A fault leaves the item out of a replay or makes its score untrue. */
export interface Finding {
  readonly severity: 'fault' | 'warning';
  readonly kind: FindingKind;
  /** One line, naming the file. */
  readonly message: string;
}

export type FindingKind =
  | 'item'
  | 'unreadable-image'
  | 'region-size'
  | 'patient-leak'
  | 'duplicate-leak'
  | 'split-mismatch'
  | 'duplicate'
  | 'overlap'
  | 'spacing'
  | 'unlabelled'
  | 'rare-value'
  | 'absent-class'
  | 'lossy-mask'
  | 'ambiguous-name';

export interface ClassBalance {
  readonly value: number;
  readonly name: string;
  readonly meaning: LabelMeaning;
  /** Level-0 pixels; of slides estimated from a sample of them. */
  readonly pixels: number;
  /** Images in which it occurs. */
  readonly images: number;
}

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
  readonly findings: readonly Finding[];
}

export interface CheckOptions extends LabelledSetOptions {
  /** Looked at for leaks. */
  readonly split?: Split | undefined;
  /** Opens whole-slide formats. */
  readonly openSlide: OpenItemOptions['openSlide'];
}

/** What the check keeps of an image. */
export interface CheckedImage {
  readonly item: LabelledImage;
  /** SHA-256 of its decoded pixels; undefined for slides. */
  readonly hash: string | undefined;
}

/**
 * Reads a whole labelled set, images included, and reports everything that is wrong with it. Keeps a few hundred bytes an image.
 * @throws what openLabelledSet throws
 */
export async function checkLabels(folder: string, options: CheckOptions): Promise<LabelReport> {
  const findings: Finding[] = [];
  const onFault = (fault: StromaflowError) =>
    findings.push({ severity: 'fault', kind: 'item', message: fault.message });
  const set = await openLabelledSet(folder, { ...options, strict: false, onFault });
  const balance = new Balance();
  const images: CheckedImage[] = [];
  const spacings = new Map<number, number>();
  for await (const item of set) {
    try {
      const { counts, mpp, hash } = await checkItem(item, set.map, options, findings);
      balance.add(counts, item);
      images.push({ item, hash });
      spacings.set(mpp, (spacings.get(mpp) ?? 0) + 1);
      if (!hasLabels(counts, set.map)) {
        findings.push({ severity: 'warning', kind: 'unlabelled', message: `${item.maskPath}: every pixel is ignored` });
      }
    } catch (error) {
      findings.push({ severity: 'fault', kind: 'unreadable-image', message: toStromaflowError(error).message });
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
    findings,
  };
}

/** The report in lines for a terminal. */
export function describeLabelReport(report: LabelReport): string[] {
  const faults = report.findings.filter(finding => finding.severity === 'fault');
  const total = report.classes.reduce((sum, item) => sum + item.pixels, 0);
  const share = (pixels: number) => `${((100 * pixels) / total).toFixed(2)} %`.padStart(9);
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
    ...report.findings.map(({ severity, message }) => `${severity.padEnd(7)} ${message}`),
    `${faults.length} faults, ${report.findings.length - faults.length} warnings`,
  ];
}

async function checkItem(item: LabelledImage, map: LabelMap, options: CheckOptions, findings: Finding[]) {
  if (item.kind === 'slide') return { ...(await sampleSlideLabels(item, map, options.openSlide)), hash: undefined };
  const hash = await hashPixels(item.imagePath);
  findings.push(...(await checkSpacing(item)), ...checkRegionSize(item));
  if (/\.jpe?g$/i.test(item.maskPath)) {
    findings.push({ severity: 'warning', kind: 'lossy-mask', message: `${item.maskPath}: JPEG changes label values` });
  }
  const mpp = item.mpp ?? Number.NaN;
  if (item.labels.kind !== 'mask-image')
    return { ...(await sampleSlideLabels(item, map, options.openSlide)), mpp, hash };
  return { counts: valueHistogram((await readMaskImage(item.maskPath, map)).values), mpp, hash };
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

/** Pixels and images of every value. */
class Balance {
  readonly #pixels = new Float64Array(256);
  readonly #images = new Float64Array(256);
  readonly #first = new Map<number, string>();

  add(counts: Float64Array, { maskPath }: LabelledImage): void {
    for (const [value, count] of counts.entries()) {
      if (count === 0) continue;
      this.#pixels[value]! += count;
      this.#images[value]!++;
      if (!this.#first.has(value)) this.#first.set(value, maskPath);
    }
  }

  classes(map: LabelMap): ClassBalance[] {
    const declared = new Set(map.classes.map(item => item.value));
    const values = [...this.#pixels.keys()].filter(value => this.#pixels[value]! > 0 || declared.has(value));
    return values.map(value => ({
      value,
      name: labelName(map, value),
      meaning: LABEL_MEANINGS[map.meanings[value]!]!,
      pixels: this.#pixels[value]!,
      images: this.#images[value]!,
    }));
  }

  /** Values of one image alone that nobody declared, and positive classes that never occur. */
  findings(map: LabelMap, images: number): Finding[] {
    const declared = new Set(map.classes.map(item => item.value));
    const rare = [...this.#first].filter(
      ([value]) => images >= 10 && this.#images[value] === 1 && !declared.has(value),
    );
    const absent = map.classes.filter(({ meaning, value }) => meaning === 'positive' && this.#pixels[value] === 0);
    return [
      ...rare.map(([value, path]): Finding => {
        const message = `${path}: label value ${value} occurs in no other image and is not declared (up to ${HIGHEST_UNDECLARED_VALUE} counts as negative)`;
        return { severity: 'warning', kind: 'rare-value', message };
      }),
      ...absent.map(({ value, name }): Finding => {
        const message = `positive class ${value} (${name}) occurs in no image`;
        return { severity: 'warning', kind: 'absent-class', message };
      }),
    ];
  }
}
