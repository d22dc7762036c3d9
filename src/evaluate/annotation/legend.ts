import type { LabelFacts, LeftOutReason } from '../label-facts.js';
import type { LabelReading } from '../label-source.js';
import { LABEL_MEANINGS, type LabelMap, type LabelMeaning, labelName } from '../labels.js';
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
 * declared ancestor; a class whose name ends in an asterisk, or one derived from it, is ignored unless it is declared; any other
 * class is another tissue, or unknown where all classes were to be declared. What has no class or no area, and what is no annotation, takes no part.
 * @param isOutside whether a shape lies outside the picture
 */
export function classify(
  shapes: readonly AnnotatedShape[],
  map: LabelMap,
  { objects = 'annotations' }: LabelReading,
  isOutside: (shape: AnnotatedShape) => boolean,
): Legend {
  const find = classFinder(map);
  const areas: ClassifiedShape[] = [];
  const regions: AnnotatedShape[] = [];
  const counts = new Counts();
  let declared = false;
  for (const shape of shapes) {
    const reason = whyLeftOut(shape, objects);
    if (reason) {
      counts.leaveOut(shape, reason);
      continue;
    }
    const { value, known, as } = find(shape.name);
    if (!known && isRegionOfInterest(shape.name)) {
      regions.push(shape);
      continue;
    }
    declared ||= known;
    const meaning = LABEL_MEANINGS[map.meanings[value]!]!;
    counts.add(shape, meaning, as);
    if (isOutside(shape)) {
      counts.leaveOut(shape, 'outside');
      continue;
    }
    if (meaning === 'unknown') counts.leaveOut(shape, 'unknown-class');
    if (meaning === 'ignored') counts.leaveOut(shape, 'ignored');
    areas.push({ rings: shape.rings, value });
  }
  return { areas, regions, declared, facts: counts.facts };
}

/** Why a shape is no area of a class. */
function whyLeftOut(shape: AnnotatedShape, objects: LabelReading['objects']): LeftOutReason | undefined {
  const { name, object = 'annotation' } = shape;
  if (object === 'tma-core') return 'tma-core';
  if (object === 'detection' && objects === 'annotations') return 'detection';
  if (object === 'annotation' && objects === 'detections') return 'annotation';
  if (!shape.rings.some(ring => ringArea(ring) > 0)) return 'no-area';
  return normaliseName(name) === '' ? 'unclassified' : undefined;
}

interface FoundClass {
  readonly value: number;
  /** It is declared, or derived from one that is. */
  readonly known: boolean;
  /** The declared class it is derived from. */
  readonly as: string | undefined;
}

function classFinder(map: LabelMap): (name: string) => FoundClass {
  const declared = new Map(map.classes.map(item => [normaliseName(item.name), item.value]));
  const { ignored, other } = map.annotations;
  return name => {
    const decisive = [...lineage(name)].find(ancestor => declared.has(ancestor) || isIgnoredName(ancestor));
    if (decisive === undefined) return { value: other, known: false, as: undefined };
    const value = declared.get(decisive);
    if (value === undefined) return { value: ignored, known: false, as: undefined };
    return { value, known: true, as: decisive === normaliseName(name) ? undefined : labelName(map, value) };
  };
}

/** Counts annotations, not their polygons. */
class Counts {
  readonly #classes = new Map<string, { name: string; meaning: LabelMeaning; as?: string; areas: Set<number> }>();
  readonly #leftOut = new Map<LeftOutReason, Set<number>>();

  add({ name, annotation }: AnnotatedShape, meaning: LabelMeaning, as: string | undefined): void {
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
