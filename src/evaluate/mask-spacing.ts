import type { AxisSpacing } from '../slide/slide.js';
import type { TiffPage } from '../slide/tiff-page.js';
import type { TiffProbe } from '../slide/tiff-probe.js';
import { TiffValues } from '../slide/tiff-values.js';

/** Spacings a mask can have, µm/px: as fine as a slide, as coarse as a thumbnail. Others are a printer's (600 dpi = 42). */
const PLAUSIBLE = { least: 0.02, most: 40 } as const;

/** What a mask TIFF states of its spacing: OME-XML, ImageJ's unit with the resolution tags, or the tags with a unit of their own. */
export function spacingOfTiff(probe: TiffProbe, { description, directory }: TiffPage): AxisSpacing | undefined {
  const ome = spacingOfOme(description);
  if (ome) return ome;
  const values = new TiffValues(probe, directory);
  const unit = /^ImageJ=/.test(description) ? imageJUnit(description) : RESOLUTION_UNITS[values.integer(296) ?? 2];
  const x = values.ratio(282);
  const y = values.ratio(283) ?? x;
  return unit && x && y ? plausible(unit / x, unit / y) : undefined;
}

/** ResolutionUnit 2 is the inch, 3 the centimetre; in µm. */
const RESOLUTION_UNITS: Readonly<Record<number, number>> = { 2: 25_400, 3: 10_000 };

/** Of 'unit=micron': the tags are pixels per that unit, whatever the unit tag says. */
function imageJUnit(description: string): number | undefined {
  const unit = /\nunit=([^\n]{1,32})/.exec(description)?.[1]?.trim().replaceAll('\\u00B5', 'µ');
  return unit === undefined ? undefined : UNITS[unit];
}

const UNITS: Readonly<Record<string, number>> = {
  nm: 1e-3,
  micron: 1,
  microns: 1,
  um: 1,
  µm: 1,
  μm: 1,
  mm: 1e3,
  cm: 1e4,
  inch: 25_400,
};

/** PhysicalSizeX and Y of an OME image's pixels, in µm unless it says otherwise. */
function spacingOfOme(description: string): AxisSpacing | undefined {
  if (!/<OME[\s>]/.test(description)) return undefined;
  const pixels = /<(?:\w{1,32}:)?Pixels\b[^<>]{0,4096}>/.exec(description)?.[0] ?? '';
  const attribute = (name: string) => new RegExp(`\\b${name}="([^"]{1,64})"`).exec(pixels)?.[1];
  const size = (axis: 'X' | 'Y') => {
    const unit = UNITS[(attribute(`PhysicalSize${axis}Unit`) ?? 'µm').replace('&#181;', 'µ')];
    return unit === undefined ? Number.NaN : Number(attribute(`PhysicalSize${axis}`)) * unit;
  };
  return plausible(size('X'), size('Y'));
}

/** Of pixels per metre, as PNG states them (pHYs, unit 1). */
export const spacingPerMetre = (x: number, y: number): AxisSpacing | undefined => plausible(1e6 / x, 1e6 / y);

function plausible(x: number, y: number): AxisSpacing | undefined {
  const isPlausible = (value: number) => value >= PLAUSIBLE.least && value <= PLAUSIBLE.most;
  return isPlausible(x) && isPlausible(y) ? { x, y } : undefined;
}
