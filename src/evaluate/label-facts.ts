import type { LabelMeaning } from './labels.js';

/** Why an annotation, or pixels of a slide, take no part. */
export const LEFT_OUT_REASONS = [
  'unclassified',
  'ignored',
  'unknown-class',
  'detection',
  'annotation',
  'tma-core',
  'no-area',
  'outside',
] as const;

export type LeftOutReason = (typeof LEFT_OUT_REASONS)[number];

/** Annotations of one class. */
export interface AnnotatedClass {
  /** As the annotator wrote it. */
  readonly name: string;
  readonly areas: number;
  readonly meaning: LabelMeaning;
  /** The declared class it counts as, where that has another name: the one it is derived from. */
  readonly as?: string;
}

/** What a truth holds, and what of it takes no part: counted when it is opened. */
export interface LabelFacts {
  /** Of annotations; masks have none. */
  readonly classes: readonly AnnotatedClass[];
  /** Annotations left out, by reason. */
  readonly leftOut: Readonly<Partial<Record<LeftOutReason, number>>>;
  /** How a mask or a frame was taken, where that was not plain: a line each, without the file's name. */
  readonly notes: readonly string[];
}

export const NO_FACTS: LabelFacts = { classes: [], leftOut: {}, notes: [] };

/** Facts whose notes name their file. */
export const namedFacts = (path: string, facts: LabelFacts): LabelFacts => ({
  ...facts,
  notes: facts.notes.map(note => `${path}: ${note}`),
});

/** Whether there is nothing to say: a mask that lies on its picture plainly. */
export const isPlain = ({ classes, leftOut, notes }: LabelFacts): boolean =>
  classes.length === 0 && notes.length === 0 && Object.keys(leftOut).length === 0;

/** The facts of several truths together. */
export function addFacts(a: LabelFacts, b: LabelFacts): LabelFacts {
  const classes = new Map(a.classes.map(item => [keyOf(item), item]));
  for (const item of b.classes) {
    const known = classes.get(keyOf(item));
    classes.set(keyOf(item), known ? { ...known, areas: known.areas + item.areas } : item);
  }
  const leftOut = Object.fromEntries(
    LEFT_OUT_REASONS.map(reason => [reason, (a.leftOut[reason] ?? 0) + (b.leftOut[reason] ?? 0)] as const).filter(
      ([, count]) => count > 0,
    ),
  );
  return { classes: [...classes.values()], leftOut, notes: [...a.notes, ...b.notes] };
}

const keyOf = ({ name, meaning, as }: AnnotatedClass): string => `${name}\n${meaning}\n${as ?? ''}`;

/** One phrase a reason, for a line that ends with them: '2 areas without a class'. */
export function describeLeftOut(leftOut: LabelFacts['leftOut']): string[] {
  return LEFT_OUT_REASONS.flatMap(reason => {
    const count = leftOut[reason] ?? 0;
    const [one, many] = PHRASES[reason];
    return count > 0 ? [`${count} ${count === 1 ? one : many}`] : [];
  });
}

const PHRASES: Readonly<Record<LeftOutReason, readonly [one: string, many: string]>> = {
  unclassified: ['annotation without a class', 'annotations without a class'],
  ignored: ['annotation to be ignored', 'annotations to be ignored'],
  'unknown-class': ['annotation of a class that is not declared', 'annotations of classes that are not declared'],
  detection: ['detection or cell', 'detections or cells'],
  annotation: ['annotation that is no detection', 'annotations that are no detections'],
  'tma-core': ['TMA core', 'TMA cores'],
  'no-area': ['point or line, without an area', 'points and lines, without an area'],
  outside: ['annotation outside the picture', 'annotations outside the picture'],
};

/**
 * A line a class: what it counts as, and how many annotations it has.
 * @param width columns of the names; the longest unless given
 */
export function describeClasses(
  classes: readonly AnnotatedClass[],
  width = Math.max(0, ...classes.map(({ name }) => name.length)),
): string[] {
  return classes.map(({ name, areas, meaning, as }) => {
    const counted = `${areas} ${areas === 1 ? 'annotation' : 'annotations'}`;
    const why = as === undefined ? '' : `, as ${as}`;
    return `${name.padEnd(width)}  ${MEANINGS[meaning]}${why}  ${counted}`;
  });
}

const MEANINGS: Readonly<Record<LabelMeaning, string>> = {
  positive: 'positive',
  negative: 'negative',
  ignored: 'ignored',
  unknown: 'not declared, left out',
};
