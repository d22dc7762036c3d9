import type { PixelRectangle } from '../slide/rectangles.js';
import type { AxisSpacing, SlideBounds } from '../slide/slide.js';
import type { LabelFacts } from './label-facts.js';

/** Port of a truth: labels of one image or slide, read window by window at any spacing. */

/** A square of `side` × `side` pixels whose pixel (i, j) is centred on level-0 point (x + (i + ½) step, y + (j + ½) step). */
export interface LabelWindow {
  readonly x: number;
  readonly y: number;
  /** Level-0 pixels per window pixel. */
  readonly step: number;
  readonly side: number;
  /** Columns and rows that lie inside the slide; the rest is left alone. */
  readonly width: number;
  readonly height: number;
}

export interface LabelSource {
  /**
   * Writes label values 0–255 into `into` (side × side bytes, rows top down), sampled at pixel centres (nearest: labels are never blended).
   * @returns parts of the window, in its pixels and without overlaps, where nothing is known, whatever value stands there; none as a rule.
   * @throws LABELS_INVALID when the labels cannot be read or hold an undeclared colour.
   */
  read(window: LabelWindow, into: Uint8Array, signal?: AbortSignal): Promise<readonly PixelRectangle[]>;
  /** The labelled rectangle in level-0 pixels, where that is a part of the picture: outside it nothing is known. */
  readonly covered?: SlideBounds;
  readonly facts: LabelFacts;
  close(): Promise<void>;
}

/** The picture that labels belong to, as those who drew them saw it. */
export interface LabelFrame {
  /** Pixels of the file: those of level 0, but for an image that is resampled when it is opened. */
  readonly width: number;
  readonly height: number;
  /** µm per pixel of the file; undefined where nobody knows. */
  readonly spacing?: AxisSpacing;
  /** The scanned part, where the slide states one. */
  readonly bounds?: SlideBounds;
  /** Pixels of the file per level-0 pixel; 1 unless given. */
  readonly perPixel?: { readonly x: number; readonly y: number };
}

/** How labels are to be taken where their file does not say. */
export interface LabelReading {
  /** Where their origin is: the corner of the scanned part, or of the whole frame. By format unless given. */
  readonly frame?: 'bounds' | 'full';
  /** Which of QuPath's objects are areas of a class. @default 'annotations' */
  readonly objects?: 'annotations' | 'detections' | 'all';
}

/** Drawn regions, whose classes have names and no values. */
export const isAnnotation = ({ kind }: LabelLocation): boolean => kind === 'annotations';

/** Where an item's labels are and how they are written. */
export interface LabelLocation {
  readonly kind: 'mask-image' | 'mask-tiff' | 'annotations';
  readonly path: string;
}
