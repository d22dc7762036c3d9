import type { TiffTag } from './tiff-tags.js';
import type { TileGrid } from './tile-order.js';

/** One level as a scanner would have it: its tiles' bytes as stored, and what a file must say about them. */
export interface SourceLevel extends TileGrid {
  readonly width: number;
  readonly height: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Level-0 pixels per pixel, of reduced levels: sizes do not say it where they are padded. */
  readonly downsample?: number;
  /** Strips are written as strips. */
  readonly tiled: boolean;
  /** TIFF codes. */
  readonly compression: number;
  readonly photometric: number;
  readonly samplesPerPixel: number;
  readonly predictor: number;
  readonly jpegTables: Uint8Array | undefined;
  /** Bytes of each stored tile, row by row; 0 where there is none. */
  readonly byteCounts: Float64Array;
  /** Everything its TIFF directory says but where the tiles lie. */
  readonly tags: readonly TiffTag[];
}

export interface SourceSlide {
  /** File name without its extension, and the extension. */
  readonly name: string;
  readonly extension: string;
  /** Files beyond 4 GiB, and those made of one, are BigTIFF. */
  readonly big: boolean;
  /** µm/px of level 0; undefined when nobody says. */
  readonly mpp: number | undefined;
  readonly levels: readonly SourceLevel[];
  /** A tile's bytes as stored. */
  read(level: number, index: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
