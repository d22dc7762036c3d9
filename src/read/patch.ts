/** A patch: the unit that is planned, read, segmented, published and acknowledged. */

import type { PixelRectangle } from '../slide/rectangles.js';
import type { AxisSpacing, SlideBounds } from '../slide/slide.js';

export interface PatchRef {
  /** SlideInfo.id. */
  readonly slide: string;
  /** Level the pixels are read from. */
  readonly level: number;
  /** Place in the plan's grid, from 0; (slide, model version, level, col, row) is the patch's identity. */
  readonly col: number;
  readonly row: number;
  /** The patch's core (what is published) in level-0 pixels, clipped to the slide. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Nothing (bytes of 0, black), or the mirror image of what lies inside. */
export type Padding = 'zero' | 'mirror';

/**
 * How a slide is cut. The grid is regular: patch (col, row) covers plan pixels
 * [col × core, (col + 1) × core) × [row × core, (row + 1) × core), and is read with `margin` more on every side.
 */
export interface PatchPlan {
  readonly slide: string;
  /** Level read from. */
  readonly level: number;
  /** Level pixels per plan pixel: 1 when the level's spacing fits, else > 1 (resampled). */
  readonly scale: number;
  /** Level-0 pixels per plan pixel. */
  readonly downsample: number;
  /** Spacing of a plan pixel in µm/px: the level's own where scale is 1, else the one asked for. */
  readonly mpp: number;
  /** Of a plan pixel along each axis, where they differ; `mpp` is their geometric mean. */
  readonly axes?: AxisSpacing;
  /** Side of the square given to the model, in plan pixels; a multiple of 32. */
  readonly patchSize: number;
  /** Context on each side that is cropped from the mask, in plan pixels. */
  readonly margin: number;
  /** What patches say of each other's margins is blended (`margin` is half the overlap then) instead of cropped. */
  readonly blended?: true;
  /** Regions of the mask smaller than this many plan pixels are removed, after holes smaller than `closeBelow` were filled. Absent: none. */
  readonly openBelow?: number;
  readonly closeBelow?: number;
  /** What stands where the square reaches over the slide's edge. */
  readonly padding: Padding;
  /** patchSize − 2 × margin: side of what a patch publishes. */
  readonly core: number;
  readonly cols: number;
  readonly rows: number;
  /** Slide size in plan pixels. */
  readonly width: number;
  readonly height: number;
  /** Slide size in level-0 pixels. */
  readonly slideWidth: number;
  readonly slideHeight: number;
  /** The scanned part of the slide, where its format states one. */
  readonly bounds?: SlideBounds;
}

/** 1-bit mask of a patch's core: `side` × `side`, rows of side/8 bytes, most significant bit left, 1 = stroma. */
export interface PatchMask {
  readonly side: number;
  readonly bits: Uint8Array;
  /** Set pixels (padding, missing pixels and glass never count: they are clear). */
  readonly stromaPixels: number;
  /** The same as a 1-bit PNG, where it was made already. */
  readonly png?: Uint8Array;
}

/**
 * What became of a patch. `stromaPixels` + `missingPixels` ≤ `validPixels` = the core's pixels inside the slide.
 *
 * 'empty': read, and nothing but glass. 'missing': the slide stores no pixel of it, or only a part without tissue.
 */
export interface PatchRecord {
  readonly level: number;
  readonly col: number;
  readonly row: number;
  readonly outcome: 'segmented' | 'empty' | 'missing' | 'failed';
  readonly validPixels: number;
  readonly tissuePixels: number;
  readonly stromaPixels: number;
  /** Pixels that the model took for stroma outside the filter's tissue: in no mask and no area. Absent: none. */
  readonly outsidePixels?: number;
  /** Of `validPixels`, those that the slide does not store: neither tissue nor stroma. Absent: none. */
  readonly missingPixels?: number;
  /** Where those are, in pixels of the core: rectangles that do not overlap. */
  readonly missingAt?: readonly PixelRectangle[];
  /** Only for replays and slides with labels: pixel counts of mask ∧ label and mask ∨ label. */
  readonly intersection?: number;
  readonly union?: number;
  /** Neighbours that failed, so that its mask was blended without them. Absent: none. */
  readonly blendedWithout?: number;
  /** Pixels that were removed or filled because their region or hole is small. Absent: none. */
  readonly openedPixels?: number;
  readonly closedPixels?: number;
  /** Only for 'failed': the error's code. */
  readonly code?: string;
}

/** A record while it is put together. */
export type MutableRecord = { -readonly [K in keyof PatchRecord]: PatchRecord[K] };
