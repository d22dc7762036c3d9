import type { LabelledImage } from './labelled-item.js';

/** What the check keeps of an image. */
export interface CheckedImage {
  readonly item: LabelledImage;
  /** SHA-256 of its decoded pixels; undefined for slides. */
  readonly hash: string | undefined;
}
