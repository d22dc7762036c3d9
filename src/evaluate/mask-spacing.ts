import type { AxisSpacing } from '../slide/slide.js';
import { readOmeXml } from '../slide/tiff/ome-xml.js';
import type { TiffPage } from '../slide/tiff/page.js';

/** Spacings a mask can have, µm/px: as fine as a slide, as coarse as a thumbnail. Others are a printer's (600 dpi = 42). */
const PLAUSIBLE = { least: 0.02, most: 40 } as const;

/** What a mask TIFF states of its spacing: OME-XML, else the resolution tags. */
export function spacingOfTiff({ description, spacing }: TiffPage): AxisSpacing | undefined {
  const ome = /<(?:\w{1,32}:)?OME[\s>]/.test(description) ? readOmeXml(description).images[0]?.spacing : undefined;
  return plausible(ome) ?? plausible(spacing);
}

/** Of pixels per metre, as PNG states them (pHYs, unit 1). */
export const spacingPerMetre = (x: number, y: number): AxisSpacing | undefined => plausible({ x: 1e6 / x, y: 1e6 / y });

function plausible(spacing: AxisSpacing | undefined): AxisSpacing | undefined {
  const isPlausible = (value: number) => value >= PLAUSIBLE.least && value <= PLAUSIBLE.most;
  return spacing && isPlausible(spacing.x) && isPlausible(spacing.y) ? spacing : undefined;
}
