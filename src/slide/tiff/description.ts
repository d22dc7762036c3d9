import type { TileCoding } from '../../codec/tile-coding.js';
import type { LevelGeometry } from '../slide.js';

/** One level as a reader thread needs it: geometry, and where every tile lies. */
export interface TiffLevel extends LevelGeometry, TileCoding {
  /** Of the tiles as they are stored: a padded level has more than its size needs. */
  readonly cols: number;
  readonly rows: number;
  /** Byte position and length of each tile, row by row, on shared memory. A length of 0 means: not stored. */
  readonly offsets: Float64Array;
  readonly byteCounts: Float64Array;
  /** Nothing but its size says that it is a level of the slide: what it shows has to. */
  readonly bySize?: true;
}

/** Description of a TIFF for the reader threads (kind 'tiff'). A type, so that it fits TileSourceDescription. */
export type TiffDescription = {
  readonly kind: 'tiff';
  readonly path: string;
  readonly levels: readonly TiffLevel[];
};
