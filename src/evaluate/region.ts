/** Corners of a region, TIGER's way: 'slide_[x1, y1, x2, y2].png', in level-0 pixels of the slide. */
export type Region = readonly [left: number, top: number, right: number, bottom: number];

export function regionOf(name: string): Region | undefined {
  const match = /_\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\](?:\.\w+)?$/.exec(name);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3]), Number(match[4])] : undefined;
}

/** 'slide_[x1, y1, x2, y2]' → 'slide': regions of one slide belong together. */
export const withoutRegion = (name: string): string => name.replace(/_\[\s*\d+(?:\s*,\s*\d+){3}\s*\]$/, '');
