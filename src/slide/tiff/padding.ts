import type { TiffPage } from './page.js';

/**
 * Sizes of reduced copies are rounded, some twice, some to even numbers for the sake of their chroma: pixels by which a large and a
 * small one (below 64) may be off.
 */
export const ROUNDING = { large: 2, small: 1, below: 64 } as const;

/** Powers of two that lead to an image's size when sizes are rounded up to whole tiles; the finest may be padded itself. */
export function paddedFactors(first: TiffPage, page: TiffPage): number[] {
  const { width, height, tileWidth, tileHeight, tiled } = page;
  if (!tiled || width % tileWidth !== 0 || height % tileHeight !== 0) return [];
  const fits = (from: number, firstTile: number, factor: number, size: number, tile: number) => {
    const unpadded = first.tiled && from % firstTile === 0 ? from - firstTile + 1 : from;
    const least = Math.ceil(Math.max(1, Math.floor(unpadded / factor)) / tile) * tile;
    return size >= least && size <= Math.ceil(Math.ceil(from / factor) / tile) * tile;
  };
  const found: number[] = [];
  for (let factor = 2; factor <= Math.max(first.width, first.height); factor *= 2)
    if (
      fits(first.width, first.tileWidth, factor, width, tileWidth) &&
      fits(first.height, first.tileHeight, factor, height, tileHeight)
    )
      found.push(factor);
  return found;
}

/** True where an image of this factor, not itself in whole tiles, ends in the last tiles of the finest one. */
export function isEndOf(first: TiffPage, page: TiffPage, factor: number): boolean {
  const ends = (from: number, firstTile: number, size: number, tile: number) => {
    const end = size * factor;
    const isExact = Math.abs(from - end) <= ROUNDING.large * factor;
    return isExact || (from % firstTile === 0 && size % tile !== 0 && end <= from && end > from - firstTile);
  };
  return (
    first.tiled &&
    ends(first.width, first.tileWidth, page.width, page.tileWidth) &&
    ends(first.height, first.tileHeight, page.height, page.tileHeight)
  );
}

/** Powers of two by which an image ends in the last tiles of the finest one, which alone is padded. */
export function edgeFactors(first: TiffPage, page: TiffPage): number[] {
  const found: number[] = [];
  for (let factor = 2; factor <= Math.max(first.width, first.height); factor *= 2)
    if (isEndOf(first, page, factor)) found.push(factor);
  return found;
}
