import type { WireError } from '../errors.js';
import type { TileSourceDescription } from '../slide/slide.js';
import type { MaskGrid } from './mask-levels.js';
import type { PatchArea } from './patch-table.js';
import type { PictureShape } from './picture-levels.js';

/** What the tile thread must know of a slide before its first tile. */
export interface TileSlide {
  /** The folder of its mask. */
  readonly mask: string;
  /** The folder of its probabilities; there may be none in it. */
  readonly probabilities: string;
  readonly grid: MaskGrid;
  /** Absent: the slide itself is not at hand. */
  readonly picture?: { readonly source: TileSourceDescription; readonly shape: PictureShape };
}

export type TileJob =
  | { readonly op: 'picture'; readonly level: number; readonly col: number; readonly row: number }
  | { readonly op: 'mask'; readonly level: number; readonly area: PatchArea; readonly masked: Uint16Array }
  | { readonly op: 'probability'; readonly level: number; readonly area: PatchArea; readonly segmented: Uint16Array }
  /** Thumbnails of patches, one after the other. */
  | { readonly op: 'thumbnails'; readonly patches: readonly (readonly [col: number, row: number, version: number])[] };

export type TileRequest =
  | { readonly op: 'open'; readonly slide: number; readonly about: TileSlide }
  | { readonly op: 'forget'; readonly slide: number }
  | { readonly op: 'end' }
  | (TileJob & { readonly slide: number });

/** Answers come in the order of the jobs. */
export type TileReply = { readonly bytes: Uint8Array } | { readonly error: WireError };
