import type { SeamCounts } from '../mask/seams.js';
import type { Padding } from '../read/patch.js';
import type { AreaAgreement } from './area-agreement.js';
import type { Interval, PairedDifference } from './bootstrap.js';
import type { Counts } from './counts.js';
import type { LabelFacts } from './label-facts.js';
import type { LabelMeaning } from './labels.js';
import type { Reduction } from './reductions.js';
import type { ReliabilityBin, ThresholdPoint } from './score-histogram.js';
import type { Seen } from './seen.js';
import type { SplitName, SplitUnit } from './split.js';
import type { TigerScore } from './tiger-score.js';

/** metrics.json: everything the report shows. Undefined numbers (0/0) are null in the file. */
export interface EvaluationReport {
  readonly format: 'stromaflow-evaluation/1';
  /** RFC 3339. */
  readonly createdAt: string;
  readonly set: SetFacts;
  readonly protocol: Protocol;
  /** Published numbers of the study, on its own data. */
  readonly study: readonly StudyNumber[];
  readonly models: readonly ModelResult[];
  readonly comparisons: readonly Comparison[];
  readonly examples: readonly Example[];
}

export interface SetFacts {
  readonly name: string;
  readonly layout: string;
  readonly images: number;
  /** Those of unknown patients count as one each. */
  readonly patients: number;
  /** Images whose patient nobody told. */
  readonly unknownPatients: number;
  readonly labels: readonly { value: number; name: string; meaning: LabelMeaning }[];
  /** What a value that no class declares is. */
  readonly undeclared: 'negative' | 'fault';
  /** One line for each item left out. */
  readonly faults: readonly string[];
  /** What the truths hold and what of them takes no part, together; absent where there is nothing to say. */
  readonly truths?: LabelFacts;
}

export interface Protocol {
  /** µm/px of a scored pixel. */
  readonly spacing: number;
  readonly patchSize: number;
  readonly margin: number;
  readonly padding: Padding;
  readonly split?: { readonly by: SplitUnit; readonly seed: number };
  readonly bootstrap: { readonly unit: 'patient'; readonly resamples: number; readonly seed: number };
}

/** What is known of a model beside its masks. */
export interface ModelFacts {
  readonly name: string;
  readonly version: string;
  /** 'FPN', 'Unet'; empty when unknown. */
  readonly architecture: string;
  readonly encoder: string;
  readonly threshold: number;
  /** What the model was trained on, as its bundle says. */
  readonly provenance?: string;
  /** Of an ensemble: whose probabilities' mean decides. */
  readonly members?: readonly { readonly name: string; readonly version: string; readonly threshold: number }[];
  /** Views of each patch whose mean decides. */
  readonly tta?: string;
}

export interface ModelResult extends ModelFacts {
  /** Seconds of main-thread time spent on metrics, and of the whole replay where it is known. */
  readonly seconds: { readonly metrics: number; readonly replay?: number };
  readonly splits: Readonly<Partial<Record<SplitName, SplitResult>>>;
  /** Whether its masks show where their patches end, all splits together. */
  readonly seams?: SeamCounts;
  readonly images: readonly ImageResult[];
  /** Absent: nothing says that it saw the set. */
  readonly seen?: Seen;
  readonly chosenThreshold?: ThresholdChoice;
}

export interface SplitResult {
  readonly images: number;
  readonly patients: number;
  readonly patches: {
    readonly scored: number;
    readonly removedEmpty: number;
    readonly unlabelled: number;
    /** Annotated stroma pixels in patches that the tissue filter dropped; they count as missed. */
    readonly positivePixelsInEmpty: number;
  };
  readonly counts: Counts;
  readonly iou: ScoreSet;
  readonly dice: ScoreSet;
  readonly precision: Interval;
  readonly recall: Interval;
  readonly specificity: Interval;
  /** Boundary F1 by tolerance in pixels: '2', '5'. */
  readonly boundaryF1: Readonly<Record<string, Interval>>;
  readonly area: AreaAgreement;
  /** (Σ predicted − Σ annotated) / Σ annotated, with its interval. */
  readonly areaError: Interval;
  /** Labelled pixels by class of the truth, and how many of them the model called positive. */
  readonly classes: readonly ClassResult[];
  readonly tiger?: TigerResult;
  readonly probability?: ProbabilityResult;
}

/** One score in the ways it is reported; intervals over patients. */
export interface ScoreSet {
  /** All pixels together. */
  readonly micro: Interval;
  /** Mean over patches, as a study of patches reports it; 0/0 counts as 1. */
  readonly patchMean: Interval;
  /** Mean over images; 0/0 counts as 1. */
  readonly imageMean: Interval;
  /** smp's reductions, patches as its images. */
  readonly smp: Readonly<Record<Reduction, number>>;
}

export interface ClassResult {
  readonly value: number;
  readonly name: string;
  readonly meaning: LabelMeaning;
  readonly pixels: number;
  readonly predictedPositive: number;
}

/** A two-class model answers TIGER's question for stroma only: its tumour score is null. */
export interface TigerResult extends TigerScore {
  readonly stromaInterval: Interval;
}

export interface ProbabilityResult {
  readonly averagePrecision: Interval;
  readonly calibrationError: Interval;
  readonly reliability: readonly ReliabilityBin[];
  readonly curve: readonly ThresholdPoint[];
}

/** Chosen where it may be chosen, applied where it was not. */
export interface ThresholdChoice {
  readonly chosenOn: 'validation';
  readonly threshold: number;
  /** IoU (micro) with it, by split. */
  readonly iou: Readonly<Partial<Record<SplitName, Interval>>>;
}

export interface ImageResult {
  readonly image: string;
  readonly patient: string;
  /** Nobody told the patient; the image counts as one. */
  readonly patientUnknown?: true;
  readonly subset: string;
  readonly split: SplitName;
  readonly patches: number;
  readonly counts: Counts;
  readonly iou: number;
  readonly dice: number;
  /** mm² of stroma in labelled pixels. */
  readonly predictedArea: number;
  readonly annotatedArea: number;
  readonly areaError: number;
  /** Whether its mask shows where its patches end; absent where its patches are in several splits. */
  readonly seams?: SeamCounts;
}

/** Model a − model b on the same images and resamples. */
export interface Comparison extends ScoreDifferences {
  readonly a: string;
  readonly b: string;
  readonly split: SplitName;
}

/** Scores of one, minus those of another: all pixels together. */
export interface ScoreDifferences {
  readonly iou: PairedDifference;
  readonly dice: PairedDifference;
  readonly precision: PairedDifference;
  readonly recall: PairedDifference;
  /** Of the pooled relative area errors, signs included. */
  readonly areaError: PairedDifference;
  /** Absent where no image has two segmented patches that touch, or nobody counted. */
  readonly seamScore?: PairedDifference;
}

export interface StudyNumber {
  readonly architecture: string;
  readonly encoder: string;
  readonly iou: number;
}

/** A patch the report shows. */
export interface Example {
  readonly why: 'best' | 'median' | 'worst' | 'disagreement';
  readonly image: string;
  readonly col: number;
  readonly row: number;
  /** By model name. */
  readonly iou: Readonly<Record<string, number>>;
  /** Pixels in which the models differ; only with several models. */
  readonly disagreement?: number;
}

/** The study's table (stroma IoU on its own split of TIGER). */
export const STUDY: readonly StudyNumber[] = [
  { architecture: 'Unet', encoder: 'vgg16', iou: 0.83 },
  { architecture: 'Unet', encoder: 'resnet34', iou: 0.862 },
  { architecture: 'FPN', encoder: 'resnet34', iou: 0.864 },
];
