/** Test-time augmentation: the model sees a patch in several views, and the mean of their probabilities decides. */
export const TTA_KINDS = ['flips', 'd4'] as const;
export type Tta = (typeof TTA_KINDS)[number];

/** A view is made by exchanging rows and columns first, if at all, then by reversing; undone in the other order. */
export interface View {
  readonly transposed: boolean;
  /** Top to bottom. */
  readonly reversedRows: boolean;
  /** Left to right. */
  readonly reversedColumns: boolean;
}

const flipsOf = (transposed: boolean): readonly View[] => [
  { transposed, reversedRows: false, reversedColumns: false },
  { transposed, reversedRows: false, reversedColumns: true },
  { transposed, reversedRows: true, reversedColumns: false },
  { transposed, reversedRows: true, reversedColumns: true },
];

/**
 * The views of a patch, the patch itself first: it and its three mirror images (`flips`), or the eight symmetries of a square (`d4`).
 * Undefined: the patch alone.
 */
export function viewsOf(tta: Tta | undefined): readonly View[] {
  if (tta === undefined) return flipsOf(false).slice(0, 1);
  return tta === 'flips' ? flipsOf(false) : [...flipsOf(false), ...flipsOf(true)];
}
