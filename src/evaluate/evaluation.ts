import { addSeams, NO_PAIRS, SeamCounter, type SeamCounts, seamsOf } from '../mask/seams.js';
import type { PatchMask, PatchPlan, PatchRef } from '../read/patch.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import { countBoundary } from './boundary.js';
import { countPatch, intersectionUnion } from './counts.js';
import type { LabelFacts } from './label-facts.js';
import { isAnnotation, type LabelSource } from './label-source.js';
import type { LabelledImage } from './labelled-item.js';
import type { LabelMap } from './labels.js';
import { type PatchLabels, readPatchLabels, withoutPixels } from './patch-labels.js';
import { type Split, type SplitName, splitOf } from './split.js';
import { ImageTally, type PatchScore, SplitTally } from './tally.js';

export interface EvaluationOptions {
  readonly map: LabelMap;
  /** Scores the splits apart; without one all patches are split 'all'. */
  readonly split?: Split | undefined;
  /** Whether score() is given probabilities. */
  readonly probabilities?: boolean;
  /** Takes every scored patch, with its mask. */
  readonly sink?: PatchSink | undefined;
  /** Called once an image for each undeclared label value: a slide's labels cannot all be checked beforehand. */
  readonly onUnknown?: (image: string, value: number) => void;
  /** Called with what each truth holds, when it is opened. */
  readonly onFacts?: (item: LabelledImage, facts: LabelFacts) => void;
}

/** Where scored patches go: the spool on disk that the report's rows and pictures are made from. */
export interface PatchSink {
  append(image: string, patch: PatchScore, mask: Uint8Array | undefined): Promise<void>;
}

/** An image that was scored, so that its pixels can be looked at again. */
export interface ScoredSlide {
  readonly item: LabelledImage;
  readonly plan: PatchPlan;
  /** What its truth holds, and what of it takes no part. */
  readonly facts: LabelFacts;
}

/** The truth of one slide in the graph; fits the session's port of that name. */
export interface SlideTruth {
  /**
   * Compares a patch and adds it to the evaluation.
   * @param mask undefined: the patch was dropped as empty, hence no stroma
   * @param probabilities patchSize² bytes, q = round(255 p)
   * @param missing pixels of the core that the slide does not store; they are in no score
   * @returns pixels of mask ∧ label and mask ∨ label; undefined where nothing is labelled
   */
  score(
    ref: Pick<PatchRef, 'col' | 'row'>,
    mask: PatchMask | undefined,
    probabilities?: Uint8Array,
    missing?: readonly PixelRectangle[],
  ): Promise<{ intersection: number; union: number } | undefined>;
  close(): Promise<void>;
}

/** Streams one model's patches over a labelled set into counts. Memory grows with images, not with patches. */
export class Evaluation {
  readonly #options: EvaluationOptions;
  readonly #images = new Map<string, ImageTally>();
  readonly #splits = new Map<SplitName, SplitTally>();
  readonly #slides = new Map<string, ScoredSlide>();
  readonly #unknown = new Set<string>();
  /** Of images that are being scored; those that are done are summed up. */
  readonly #seams = new Set<SeamCounter>();
  #doneSeams = seamsOf(NO_PAIRS, NO_PAIRS);
  #seconds = 0;

  constructor(options: EvaluationOptions) {
    this.#options = options;
  }

  /** A tally for every image and split that has a scored patch, in the order they came. */
  get images(): readonly ImageTally[] {
    return [...this.#images.values()];
  }

  /** Images that were opened, by id. */
  get slides(): ReadonlyMap<string, ScoredSlide> {
    return this.#slides;
  }

  get splits(): ReadonlyMap<SplitName, SplitTally> {
    return this.#splits;
  }

  /** Whether the masks, labelled or not, show where their patches end. */
  get seams(): SeamCounts {
    return [...this.#seams].reduce((sum, seams) => addSeams(sum, seams.counts()), this.#doneSeams);
  }

  /** Seconds the main thread spent on labels and counts. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Truth for one slide; closes `source` with it. */
  truth(item: LabelledImage, plan: PatchPlan, source: LabelSource): SlideTruth {
    const { facts } = source;
    this.#slides.set(item.id, { item, plan, facts });
    this.#options.onFacts?.(item, facts);
    const seams = new SeamCounter(plan);
    this.#seams.add(seams);
    return {
      score: async (ref, mask, probabilities, missing) => {
        if (mask) seams.add(ref.col, ref.row, mask.bits);
        const labels = withoutPixels(await readPatchLabels(source, plan, ref, this.#options.map), missing);
        const started = performance.now();
        const patch = this.#add(item, plan, ref, labels, mask, probabilities);
        this.#seconds += (performance.now() - started) / 1000;
        if (!patch) return undefined;
        await this.#options.sink?.append(item.id, patch, mask?.bits);
        return intersectionUnion(patch.counts);
      },
      close: () => {
        if (this.#seams.delete(seams)) this.#noteSeams(item.id, seams.counts());
        return source.close();
      },
    };
  }

  #add(
    item: Pick<LabelledImage, 'id' | 'patient' | 'subset' | 'labels'>,
    plan: PatchPlan,
    { col, row }: Pick<PatchRef, 'col' | 'row'>,
    labels: PatchLabels,
    mask: PatchMask | undefined,
    probabilities: Uint8Array | undefined,
  ): PatchScore | undefined {
    // Of annotations the facts name the classes that nobody declared; their values mean nothing to people.
    if (!isAnnotation(item.labels)) this.#reportUnknown(item.id, labels.unknownValue);
    const split = splitOf(this.#options.split, item.id, col, row);
    const totals = this.#splitTally(split);
    if (labels.labelledPixels === 0) {
      totals.unlabelled++;
      return undefined;
    }
    // The study removes empty patches. One in which stroma is annotated is an error of the filter, and stays.
    if (!mask && labels.positivePixels === 0) {
      totals.empty++;
      return undefined;
    }
    if (!mask) totals.positiveInEmpty += labels.positivePixels;
    const bits = mask?.bits ?? new Uint8Array(labels.positive.length);
    const counts = countPatch(bits, labels);
    const boundary = countBoundary(bits, labels);
    const patch: PatchScore = { col, row, split, outcome: mask ? 'segmented' : 'empty', counts, boundary };
    const tally = this.#imageTally(item, split, plan.mpp);
    tally.add(patch);
    tally.histogram?.add(probabilities, labels, plan.margin);
    totals.add(patch);
    totals.values.add(bits, labels);
    return patch;
  }

  #noteSeams(image: string, counts: SeamCounts): void {
    this.#doneSeams = addSeams(this.#doneSeams, counts);
    const tallies = this.images.filter(tally => tally.image === image);
    if (tallies.length === 1) tallies[0]!.seams = counts;
  }

  #reportUnknown(image: string, value: number): void {
    const key = `${value} ${image}`;
    if (value < 0 || this.#unknown.has(key)) return;
    this.#unknown.add(key);
    this.#options.onUnknown?.(image, value);
  }

  #splitTally(split: SplitName): SplitTally {
    const known = this.#splits.get(split) ?? new SplitTally();
    this.#splits.set(split, known);
    return known;
  }

  #imageTally(item: Pick<LabelledImage, 'id' | 'patient' | 'subset'>, split: SplitName, mpp: number): ImageTally {
    const key = `${split} ${item.id}`;
    const of = { image: item.id, patient: item.patient, subset: item.subset, split, pixelArea: (mpp / 1000) ** 2 };
    const known = this.#images.get(key) ?? new ImageTally(of, this.#options.probabilities ?? false);
    this.#images.set(key, known);
    return known;
  }
}
