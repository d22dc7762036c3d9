import type { AnnotationValues, LabelClass } from '../label-class.js';
import { normaliseName } from './class-name.js';

/** Classes of a set of annotations beside those named on the command line. */
const OUTSIDE = { name: 'outside the annotated regions', meaning: 'ignored' } as const;
const INSIDE = { name: 'not annotated', meaning: 'negative' } as const;
const OTHER = { name: 'any other class', meaning: 'negative' } as const;
const STARRED = { name: 'classes ending in *', meaning: 'ignored' } as const;

/** Values from here on stand for annotations: far above the classes of masks, below their usual void markers. */
const FIRST_OF_ANNOTATIONS = 200;

/**
 * Gives every class name in the lists a value of its own, from 2 on. A number is a value of masks and may be the name of a class
 * as well: it has that value.
 * @param asked values that the lists speak of, numbers and ranges
 */
export function nameClasses(tokens: readonly string[], asked: readonly number[]): LabelClass[] {
  const names = new Map<string, string>();
  for (const token of tokens.filter(text => text !== '' && !/^\d+-\d+$/.test(text))) {
    if (!names.has(normaliseName(token))) names.set(normaliseName(token), token);
  }
  const isValue = (name: string) => /^\d{1,3}$/.test(name) && Number(name) <= 255;
  const taken = new Set(asked);
  return [...names.values()].map(name => {
    const value = isValue(name) ? Number(name) : firstFree(taken, 2);
    taken.add(value);
    return { value, name, meaning: 'negative' };
  });
}

/**
 * The classes that annotations need beside the declared ones, and their values.
 * @param asked values that the command line speaks of
 * @param own the declared classes are those of annotations, not a set's
 */
export function annotationClasses(
  declared: readonly LabelClass[],
  asked: readonly number[],
  own: boolean,
  closed: boolean,
): { classes: LabelClass[]; values: Partial<AnnotationValues> } {
  const taken = new Set([...declared.map(({ value }) => value), ...asked]);
  const classes: LabelClass[] = [];
  const add = (of: Omit<LabelClass, 'value'>, from: number): number => {
    const value = firstFree(taken, from);
    taken.add(value);
    classes.push({ ...of, value });
    return value;
  };
  if (!own) {
    if (declared.some(({ meaning }) => meaning === 'ignored')) return { classes, values: {} };
    return { values: { ignored: add(STARRED, FIRST_OF_ANNOTATIONS) }, classes };
  }
  const outside = add(OUTSIDE, taken.has(0) ? FIRST_OF_ANNOTATIONS : 0);
  const inside = add(INSIDE, taken.has(1) ? FIRST_OF_ANNOTATIONS : 1);
  const ignored = add(STARRED, FIRST_OF_ANNOTATIONS);
  return { values: { outside, inside, ignored, ...(!closed && { other: add(OTHER, FIRST_OF_ANNOTATIONS) }) }, classes };
}

function firstFree(taken: ReadonlySet<number>, from: number): number {
  let value = from;
  while (taken.has(value) && value < 255) value++;
  return value;
}
