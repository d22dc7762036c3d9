/**
 * TIGER's official segmentation score (DIAGNijmegen/pathology-tiger-algorithm-example, evaluations/eval_utils.py,
 * TigerSegmScorer): truth 4, 5, 7 → 3 and 6 → 2; prediction 1 → 1, 2 and 6 → 2, all else → 3; truth 0 dropped; one
 * confusion matrix over all slides; F1 of tumour and of stroma. Truth values above 7 stand in no class and are dropped,
 * as scikit-learn's confusion_matrix does with its `labels`.
 */
export interface TigerScore {
  /** F1 = Dice; null where the class is neither in truth nor in prediction (0/0). */
  readonly tumour: number | null;
  readonly stroma: number | null;
  /** Rows truth, columns prediction: tumour, stroma, rest; pixels. */
  readonly confusion: readonly (readonly number[])[];
}

const DROPPED = -1;
const TRUTH = [DROPPED, 0, 1, 2, 2, 2, 1, 2];
const PREDICTION = [2, 0, 1, 2, 2, 2, 1];

export class TigerScorer {
  readonly #confusion = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];

  /** Adds pixels: TIGER label values of truth and prediction, equally long. */
  add(truth: Uint8Array, prediction: Uint8Array): void {
    if (truth.length !== prediction.length) throw new RangeError('truth and prediction differ in length');
    for (let i = 0; i < truth.length; i++) this.addPixels(truth[i]!, prediction[i]!, 1);
  }

  /** Adds many equal pixels at once. */
  addPixels(truth: number, prediction: number, pixels: number): void {
    const row = TRUTH[truth] ?? DROPPED;
    if (row !== DROPPED) this.#confusion[row]![PREDICTION[prediction] ?? 2]! += pixels;
  }

  get score(): TigerScore {
    const confusion = this.#confusion.map(row => [...row]);
    return { tumour: f1(confusion, 0), stroma: f1(confusion, 1), confusion };
  }
}

function f1(confusion: readonly (readonly number[])[], index: number): number | null {
  const tp = confusion[index]![index]!;
  const truth = confusion[index]!.reduce((sum, count) => sum + count, 0);
  const predicted = confusion.reduce((sum, row) => sum + row[index]!, 0);
  return truth + predicted === 0 ? null : (2 * tp) / (truth + predicted);
}
