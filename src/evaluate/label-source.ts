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
   * @throws LABELS_INVALID when the labels cannot be read or hold an undeclared colour.
   */
  read(window: LabelWindow, into: Uint8Array, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Drawn regions, whose classes have names and no values. */
export const isAnnotation = ({ kind }: LabelLocation): boolean =>
  kind === 'asap' || kind === 'geojson' || kind === 'darwin';

/** Where an item's labels are and how they are written. */
export interface LabelLocation {
  readonly kind: 'mask-image' | 'mask-tiff' | 'asap' | 'geojson' | 'darwin';
  readonly path: string;
}
