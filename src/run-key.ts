/** A run is one slide under one model and one plan; anything that changes a mask changes the key. */
export interface RunKey {
  readonly slide: string;
  readonly fingerprint: string;
  readonly modelVersion: string;
  /** Everything of the plan and the tissue rule that changes outcomes, as a short string. */
  readonly plan: string;
}
