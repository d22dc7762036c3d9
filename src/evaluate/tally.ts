import type { SeamCounts } from '../mask/seams.js';
import { addBoundary, BOUNDARY_TOLERANCES, type BoundaryCounts, NO_BOUNDARY } from './boundary.js';
import { addCounts, type Counts, NO_COUNTS, ValueTable } from './counts.js';
import { dice, iou, ReductionSum } from './reductions.js';
import { ScoreHistogram } from './score-histogram.js';
import type { SplitName } from './split.js';

/** One patch, compared with its truth. */
export interface PatchScore {
  readonly col: number;
  readonly row: number;
  readonly split: SplitName;
  readonly outcome: 'segmented' | 'empty';
  readonly counts: Counts;
  /** One entry for each of BOUNDARY_TOLERANCES. */
  readonly boundary: readonly BoundaryCounts[];
}

/** What the evaluation keeps of an image: integer counts, and sums of the patches' scores. Does not grow with its patches. */
export class ImageTally {
  readonly image: string;
  readonly patient: string;
  readonly subset: string;
  readonly split: SplitName;
  /** mm² of one scored pixel. */
  readonly pixelArea: number;
  patches = 0;
  counts: Counts = NO_COUNTS;
  boundary: readonly BoundaryCounts[] = BOUNDARY_TOLERANCES.map(() => NO_BOUNDARY);
  /** Sums of the patches' IoU and Dice, 0/0 counted as 1 as smp does. */
  patchIou = 0;
  patchDice = 0;
  /** Of the image's mask, when it is done; absent where its patches are in several splits. */
  seams: SeamCounts | undefined;
  readonly histogram: ScoreHistogram | undefined;

  constructor(of: Pick<ImageTally, 'image' | 'patient' | 'subset' | 'split' | 'pixelArea'>, probabilities: boolean) {
    this.image = of.image;
    this.patient = of.patient;
    this.subset = of.subset;
    this.split = of.split;
    this.pixelArea = of.pixelArea;
    this.histogram = probabilities ? new ScoreHistogram() : undefined;
  }

  add({ counts, boundary }: PatchScore): void {
    this.patches++;
    this.counts = addCounts(this.counts, counts);
    this.boundary = this.boundary.map((sum, i) => addBoundary(sum, boundary[i] ?? NO_BOUNDARY));
    this.patchIou += orOne(iou(counts));
    this.patchDice += orOne(dice(counts));
  }
}

/** What the evaluation keeps of a split beside its images. */
export class SplitTally {
  readonly patchIou = new ReductionSum(iou);
  readonly patchDice = new ReductionSum(dice);
  readonly values = new ValueTable();
  /** Patches without any labelled pixel, and patches without tissue and without positive truth: not scored. */
  unlabelled = 0;
  empty = 0;
  /** Positive pixels that the tissue filter dropped: scored, as missed. */
  positiveInEmpty = 0;

  add(patch: PatchScore): void {
    this.patchIou.add([patch.counts]);
    this.patchDice.add([patch.counts]);
  }
}

const orOne = (score: number): number => (Number.isNaN(score) ? 1 : score);
