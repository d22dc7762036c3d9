/**
 * What a person must know of a slide to read its result right: what was left out of it, and what had to be assumed. Codes are
 * stable, messages are for people; neither holds patient data or folders.
 */
export interface SlideNote {
  readonly code: NoteCode;
  /** One line: what, why, and what to do where something can be done. */
  readonly message: string;
}

export const NOTE_CODES = [
  /** A level whose size or spacing fits nothing. */
  'level-left-out',
  /** Another scene, series or image of the same file or folder. */
  'image-left-out',
  /** Another focal plane. */
  'plane-left-out',
  /** An instance or file that says the same as one that was read, or something else under the same name. */
  'instance-left-out',
  /** The spacings of both axes differ by more than a hundredth. */
  'axes-differ',
  /** A spacing, colour or transparency that the file does not state, or states twice. */
  'assumed',
  /** The tissue rule cannot judge by colour. */
  'grey',
  /** Our reader cannot read it; OpenSlide does. */
  'read-by-openslide',
  /** Stored sparsely: what was not scanned has no tiles. */
  'sparse',
  /** What of the slide's labels takes no part in its score, and how they were taken. */
  'labels-left-out',
  /** What the model's maker wants said wherever its masks are shown. */
  'model-notice',
  /** A file that was asked for and cannot be written of this slide. */
  'output-left-out',
  /** How the model's norms were fitted to the slide, or why they were not. */
  'norms',
  /** Masks that were blended although a neighbour of theirs failed. */
  'blended-without',
] as const;

export type NoteCode = (typeof NOTE_CODES)[number];

export const GREY_NOTE: SlideNote = {
  code: 'grey',
  message:
    'the slide is grey: tissue is told by darkness and texture instead of colour, and a model that was trained on colour may be wrong on it',
};
