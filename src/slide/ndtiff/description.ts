import type { LevelGeometry } from '../slide.js';

export const NDTIFF_KIND = 'ndtiff';

/** The one level of an NDTiff data set, and where its tiles' pixels lie: arrays on memory that threads share. */
export interface NdTiffLevel extends LevelGeometry {
  readonly cols: number;
  readonly rows: number;
  /** Axes `column` and `row` of the tile in the upper left corner. */
  readonly firstCol: number;
  readonly firstRow: number;
  /** Size of a stored image, which overlaps its neighbours, and where the tile begins in it. */
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly left: number;
  readonly top: number;
  /** Byte position of each tile's pixels, row by row; 0 while it has not come. */
  readonly offsets: Float64Array;
  /** Which `<prefix>NDTiffStack[_n].tif` holds it. */
  readonly parts: Float64Array;
  /** Pixel type by the index (NDTIFF_TYPES). */
  readonly types: Float64Array;
}

/** Description of an NDTiff data set for the reader threads. A type, so that it fits TileSourceDescription. */
export type NdTiffDescription = {
  readonly kind: typeof NDTIFF_KIND;
  readonly path: string;
  readonly folder: string;
  /** Name of the parts up to `NDTiffStack`; empty for a data set without a name. */
  readonly prefix: string;
  readonly levels: readonly NdTiffLevel[];
};

/** Bytes a pixel by type: 0 grey of 8 bits, 2 RGB of 8 bits. Deeper ones are not brightfield. */
export const NDTIFF_TYPES: Readonly<Record<number, number>> = { 0: 1, 2: 3 };

export const partName = (prefix: string, part: number): string =>
  `${prefix}NDTiffStack${part === 0 ? '' : `_${part}`}.tif`;
