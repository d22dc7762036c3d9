import { closeSync, fstatSync, openSync } from 'node:fs';
import type { AxisSpacing } from '../slide/slide.js';
import { checkTileCount, readPages, readTileArrays, type TiffPage } from '../slide/tiff/page.js';
import { probeTiff } from '../slide/tiff/probe.js';
import { type MaskGrid, wholeFactor } from './mask-alignment.js';
import { spacingOfTiff } from './mask-spacing.js';

/** One resolution of a mask TIFF. */
export interface MaskLevel {
  readonly page: TiffPage;
  /** Pixels of the finest level per pixel of this one. */
  readonly factor: number;
  readonly cols: number;
  readonly offsets: Float64Array;
  readonly byteCounts: Float64Array;
}

export interface MaskPyramid {
  /** Finest first; none when the file holds no picture. */
  readonly levels: readonly MaskLevel[];
  /** Of the finest, where the file states it. */
  readonly spacing: AxisSpacing | undefined;
}

/**
 * Reads a mask's levels: the first image, or the largest of which that is a level, and those whose size is its size divided by a
 * whole number, up to rounding and padding. The others are other pictures.
 * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED
 */
export function readMaskLevels(path: string): MaskPyramid {
  const fd = openSync(path, 'r');
  try {
    const probe = probeTiff(fd, path, fstatSync(fd).size);
    const [first, ...others] = readPages(probe);
    if (!first) return { levels: [], spacing: undefined };
    if (first.fault) throw first.fault;
    const pages = [first, ...first.subDirectories, ...others]
      .filter(page => page === first || (!page.fault && page.samplesPerPixel === first.samplesPerPixel))
      .sort((a, b) => b.width - a.width);
    const finest = pages.find(page => wholeFactor(gridOf(first), page) !== undefined) ?? first;
    const sized = pages.flatMap(page => {
      const factor = wholeFactor(gridOf(page), finest);
      return factor === undefined ? [] : [{ page, factor }];
    });
    // A further page of a level's size is another picture, not a level.
    const levels = sized.filter(
      ({ page, factor }, i) => i === 0 || (factor > 1 && page.width !== sized[i - 1]?.page.width),
    );
    checkTileCount(
      path,
      levels.map(({ page }) => page),
    );
    return {
      levels: levels.map(({ page, factor }) => ({
        page,
        factor,
        cols: Math.ceil(page.width / page.tileWidth),
        ...readTileArrays(probe, page),
      })),
      spacing: spacingOfTiff(finest),
    };
  } finally {
    closeSync(fd);
  }
}

/** What alignment looks at. */
export const gridOf = ({ width, height, tiled, tileWidth, tileHeight }: TiffPage): MaskGrid => ({
  width,
  height,
  ...(tiled && { tile: { width: tileWidth, height: tileHeight } }),
});
