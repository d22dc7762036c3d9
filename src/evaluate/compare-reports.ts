import { StromaflowError } from '../errors.js';
import type { BootstrapOptions } from './bootstrap.js';
import { type ImagePair, scoreDifferences, sharedImages } from './compare.js';
import type { CountedImage } from './count-sums.js';
import type { EvaluationReport, ImageResult, ModelResult, Protocol, ScoreDifferences } from './metrics.js';
import { reportedSplit } from './report/html.js';
import { unitOf } from './report/words.js';
import type { SplitName } from './split.js';

/** A replay's report, and what it goes by. */
export interface NamedReport {
  readonly name: string;
  readonly report: EvaluationReport;
}

/** One model of a report against one of another: `a` minus `b`. */
export interface ReportComparison extends ScoreDifferences {
  readonly a: string;
  readonly b: string;
  readonly split: SplitName;
  /** Images that both scored; those that only one did are left out of the differences. */
  readonly images: number;
  readonly onlyA: number;
  readonly onlyB: number;
  /** What is drawn with replacement, and how many of them there are. */
  readonly unit: 'patient' | 'image';
  readonly units: number;
  /** How the replays differ: 'padding mirror, not zero'. */
  readonly differs: readonly string[];
}

/**
 * Compares replays of one set with each other, whatever differs between them: margin, padding, patch size, norms, model. Images are paired
 * by name, and every later report is compared with the first: models of one name with each other, or the only ones of both.
 * @throws USAGE where they cannot be compared: other spacings, no image or no model in common, truths that differ
 */
export function compareReports(reports: readonly NamedReport[], options: BootstrapOptions): ReportComparison[] {
  const [first, ...later] = reports;
  if (!first || later.length === 0) throw new StromaflowError('USAGE', 'a comparison takes two reports or more');
  return later.flatMap(other => modelPairs(other, first).map(pair => comparePair(other, first, pair, options)));
}

type ModelPair = readonly [a: ModelResult, b: ModelResult];

function modelPairs(a: NamedReport, b: NamedReport): ModelPair[] {
  const [ofA, ofB] = [a.report.models, b.report.models];
  if (ofA.length === 1 && ofB.length === 1) return [[ofA[0]!, ofB[0]!]];
  // Models of one name are told apart by version in their report already.
  const pairs = ofA.flatMap((model): ModelPair[] => {
    const same = ofB.find(({ name }) => name === model.name);
    return same ? [[model, same]] : [];
  });
  if (pairs.length === 0)
    throw unlike(a, b, 'have no model of one name', 'replay the models one by one, each with an --out of its own');
  return pairs;
}

function comparePair(a: NamedReport, b: NamedReport, [ofA, ofB]: ModelPair, options: BootstrapOptions) {
  const spacings = [a, b].map(({ report }) => report.protocol.spacing);
  if (Math.abs(spacings[0]! / spacings[1]! - 1) > SAME_SPACING) {
    const fix = 'replay both with the same --spacing';
    throw unlike(a, b, `score pixels of ${spacings.join(' and ')} µm`, fix);
  }
  const split = reportedSplit({ models: [ofA] });
  const [imagesA, imagesB] = [ofA, ofB].map(reportedImages);
  const pairs = sharedImages(imagesA!.map(counted), imagesB!.map(counted));
  if (pairs.length === 0) throw unlike(a, b, 'share no image', 'compare replays of the same set');
  checkTruths(a, b, pairs);
  const severalModels = a.report.models.length > 1;
  const named = ({ name }: NamedReport, model: ModelResult) => (severalModels ? `${name}, ${model.name}` : name);
  const shared = new Set(pairs.map(([{ image }]) => image));
  return {
    ...{ a: named(a, ofA), b: named(b, ofB), split, images: pairs.length },
    ...{ onlyA: imagesA!.length - pairs.length, onlyB: imagesB!.length - pairs.length },
    unit: unitOf(imagesA!.filter(({ image }) => shared.has(image))),
    units: new Set(pairs.map(([{ patient }]) => patient)).size,
    differs: differencesOf(a.report.protocol, b.report.protocol, [ofA, ofB]),
    ...scoreDifferences(pairs, options),
  };
}

/** Of the split that its report shows. */
function reportedImages(model: ModelResult): ImageResult[] {
  const split = reportedSplit({ models: [model] });
  return model.images.filter(image => image.split === split);
}

/** What rounding of a spacing leaves. */
const SAME_SPACING = 1e-6;

function counted({ image, patient, counts, predictedArea, annotatedArea, seams }: ImageResult): CountedImage {
  const { tp, fp, fn } = counts;
  const pixels = 2 * tp + fp + fn;
  const pixelArea = pixels === 0 ? 0 : (predictedArea + annotatedArea) / pixels;
  return { image, patient, counts, pixelArea, ...(seams && { seams }) };
}

/** However patches are cut, what is annotated is the same: else a part of an image is missing in one, or labels were read otherwise. */
function checkTruths(a: NamedReport, b: NamedReport, pairs: readonly ImagePair[]): void {
  for (const [one, other] of pairs) {
    const [here, there] = [one, other].map(({ counts: { tp, fn } }) => tp + fn);
    if (here === there) continue;
    const fix = 'replay both with the same labels and the same --positive and --ignore, and mend what failed in either';
    throw unlike(a, b, `have ${here} and ${there} annotated pixels in ${one.image}`, fix);
  }
}

const unlike = (a: NamedReport, b: NamedReport, what: string, fix: string): StromaflowError =>
  new StromaflowError('USAGE', `${a.name} and ${b.name} ${what}`, { fix });

function differencesOf(a: Protocol, b: Protocol, [ofA, ofB]: ModelPair): string[] {
  const parts = [
    ['patches of', `${a.patchSize} px`, `${b.patchSize} px`],
    ['margin', `${a.margin} px`, `${b.margin} px`],
    ['padding', a.padding, b.padding],
    ['model', `${ofA.name} ${ofA.version}`, `${ofB.name} ${ofB.version}`],
    ['threshold', `${ofA.threshold}`, `${ofB.threshold}`],
  ] as const;
  return parts
    .filter(([, here, there]) => here !== there)
    .map(([what, here, there]) => `${what} ${here}, not ${there}`);
}
