/** What a label value means to a binary question: is this pixel tumour-associated stroma? */
export type LabelMeaning = 'positive' | 'negative' | 'ignored' | 'unknown';

export interface LabelClass {
  /** 0–255, as stored in the mask. */
  readonly value: number;
  readonly name: string;
  readonly meaning: LabelMeaning;
  /** '#rrggbb' of the class in RGB masks, lower case. */
  readonly colour?: string;
}

/** Values of annotations that no class declares, and of what no annotation covers. */
export interface AnnotationValues {
  /** Not annotated: inside a region of interest (everywhere in files without one), and outside. */
  readonly inside: number;
  readonly outside: number;
  /** Classes that their annotator wants ignored. */
  readonly ignored: number;
  /** Any other class. */
  readonly other: number;
}
