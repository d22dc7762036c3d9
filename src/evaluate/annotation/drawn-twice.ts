import type { ClassifiedShape } from './legend.js';
import { ringArea } from './shape.js';

/** Says so where one polygon is drawn as two classes: only one of them can count. */
export function twiceNotes(areas: readonly ClassifiedShape[]): string[] {
  const twice = groups(areas, sizeOf)
    .filter(isOfTwo)
    .flatMap(same => groups(same, pointsOf).filter(isOfTwo)).length;
  if (twice === 0) return [];
  const what = twice === 1 ? '1 area is annotated' : `${twice} areas are annotated`;
  return [`${what} as two classes, one wholly over the other: only one of them counts, take the other away`];
}

const isOfTwo = (areas: readonly ClassifiedShape[]): boolean => areas.some(({ value }) => value !== areas[0]!.value);

function groups(areas: readonly ClassifiedShape[], keyOf: (area: ClassifiedShape) => string): ClassifiedShape[][] {
  const found = new Map<string, ClassifiedShape[]>();
  for (const area of areas) {
    const key = keyOf(area);
    const group = found.get(key);
    if (group) group.push(area);
    else found.set(key, [area]);
  }
  return [...found.values()];
}

/** Tells most areas apart without their points. */
const sizeOf = ({ rings }: ClassifiedShape): string =>
  rings.map(ring => `${ring.length} ${Math.round(ringArea(ring))}`).join();

/** The same wherever a ring starts and whichever way it turns. */
const pointsOf = ({ rings }: ClassifiedShape): string =>
  rings
    .map(ring => {
      const points = Array.from({ length: ring.length / 2 }, (_, i) => `${ring[2 * i]} ${ring[2 * i + 1]}`);
      return points.sort().join();
    })
    .join(';');
