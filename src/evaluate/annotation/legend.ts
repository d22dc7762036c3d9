import type { LabelFacts, LeftOutReason } from '../label-facts.js';
import type { LabelReading } from '../label-source.js';
import { LABEL_MEANINGS, type LabelMap, labelName, UNKNOWN } from '../labels.js';
import { isIgnoredName, isRegionOfInterest, lineage, normaliseName } from './class-name.js';
import { type AnnotatedShape, ringArea } from './shape.js';

/** An area of a class, with the value it has in the label map. */
export interface ClassifiedShape {
  readonly rings: AnnotatedShape['rings'];
  readonly value: number;
}

export interface Legend {
  readonly areas: readonly ClassifiedShape[];
  /** Frames within which everything was annotated. */
  readonly regions: readonly AnnotatedShape[];
  /** Whether any area has a class that the map declares. */
  readonly declared: boolean;
  readonly facts: LabelFacts;
}

/**
 * Says what each annotation counts as: a declared class counts as itself, one derived from it ('Stroma: Inflamed') as the nearest
 * declared ancestor; a class whose name ends in an asterisk is ignored unless it is declared; any other class is another tissue,
 * or unknown where all classes were to be declared. What has no class or no area, and what is no annotation, takes no part.
 * @param isOutside whether a shape lies outside the picture
 */
export function classify(
  shapes: readonly AnnotatedShape[],
  map: LabelMap,
  { objects = 'annotations' }: LabelReading,
  isOutside: (shape: AnnotatedShape) => boolean,
): Legend {
  const declaredValues = new Map(map.classes.map(item => [normaliseName(item.name), item.value]));
  const areas: ClassifiedShape[] = [];
  const regions: AnnotatedShape[] = [];
  const counts = new Counts();
  let declared = false;
  for (const shape of shapes) {
    const { name, object = 'annotation' } = shape;
    if (object === 'tma-core') counts.leaveOut(shape, 'tma-core');
    else if (object === 'detection' && objects === 'annotations') counts.leaveOut(shape, 'detection');
    else if (object === 'annotation' && objects === 'detections') counts.leaveOut(shape, 'annotation');
    else if (!hasArea(shape)) counts.leaveOut(shape, 'no-area');
    else if (normaliseName(name) === '') counts.leaveOut(shape, 'unclassified');
    else {
      const known = [...lineage(name)].find(ancestor => declaredValues.has(ancestor));
      if (known === undefined && isRegionOfInterest(name)) {
        regions.push(shape);
        continue;
      }
      declared ||= known !== undefined;
      const { ignored, other } = map.annotations;
      const value = known === undefined ? (isIgnoredName(name) ? ignored : other) : declaredValues.get(known)!;
      const meaning = LABEL_MEANINGS[map.meanings[value]!]!;
      const as = known === undefined || known === normaliseName(name) ? undefined : labelName(map, value);
      counts.add(shape, meaning, as);
      if (isOutside(shape)) counts.leaveOut(shape, 'outside');
      else {
        if (map.meanings[value] === UNKNOWN) counts.leaveOut(shape, 'unknown-class');
        if (meaning === 'ignored') counts.leaveOut(shape, 'ignored');
        areas.push({ rings: shape.rings, value });
      }
    }
  }
  return { areas, regions, declared, facts: counts.facts };
}

const hasArea = ({ rings }: AnnotatedShape): boolean => rings.some(ring => ringArea(ring) > 0);

/** Counts annotations, not their polygons. */
class Counts {
  readonly #classes = new Map<
    string,
    { name: string; meaning: LabelFacts['classes'][number]['meaning']; as?: string; areas: Set<number> }
  >();
  readonly #leftOut = new Map<LeftOutReason, Set<number>>();

  add(
    { name, annotation }: AnnotatedShape,
    meaning: LabelFacts['classes'][number]['meaning'],
    as: string | undefined,
  ): void {
    const key = normaliseName(name);
    const known = this.#classes.get(key) ?? {
      name: name.trim(),
      meaning,
      ...(as !== undefined && { as }),
      areas: new Set<number>(),
    };
    known.areas.add(annotation);
    this.#classes.set(key, known);
  }

  leaveOut({ annotation }: AnnotatedShape, reason: LeftOutReason): void {
    const known = this.#leftOut.get(reason) ?? new Set<number>();
    known.add(annotation);
    this.#leftOut.set(reason, known);
  }

  get facts(): LabelFacts {
    return {
      classes: [...this.#classes.values()].map(({ areas, ...item }) => ({ ...item, areas: areas.size })),
      leftOut: Object.fromEntries([...this.#leftOut].map(([reason, { size }]) => [reason, size])),
      notes: [],
    };
  }
}
