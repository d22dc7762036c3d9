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
  | 'unknown-value'
  | 'unknown-class'
  | 'alignment'
  | 'outside'
  | 'absent-class'
  | 'lossy-mask'
  | 'ambiguous-name';
