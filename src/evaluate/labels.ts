import { StromaflowError } from '../errors.js';
import { normaliseName } from './annotation/class-name.js';
import { annotationClasses, nameClasses } from './annotation/classes.js';
import type { AnnotationValues, LabelClass, LabelMeaning } from './label-class.js';

export type { AnnotationValues, LabelClass, LabelMeaning } from './label-class.js';

export interface LabelMap {
  /** The declared classes, by value. */
  readonly classes: readonly LabelClass[];
  /** Meaning of every value 0–255: an index into LABEL_MEANINGS. */
  readonly meanings: Uint8Array;
  /** Value of each colour, as 0xrrggbb; empty when masks hold values themselves. */
  readonly colours: ReadonlyMap<number, number>;
  readonly annotations: AnnotationValues;
}

/** Codes used in LabelMap.meanings. */
export const LABEL_MEANINGS = ['negative', 'positive', 'ignored', 'unknown'] as const;
export const NEGATIVE = 0;
export const POSITIVE = 1;
export const IGNORED = 2;
export const UNKNOWN = 3;

/**
 * Undeclared values up to this one are taken for classes nobody asked about (negative). Higher ones are taken for void
 * markers, anti-aliased edges or photographs, and are faults until they are declared. The largest public scheme we
 * know, BCSS, uses 0–21.
 */
export const HIGHEST_UNDECLARED_VALUE = 31;

export interface LabelMapOptions {
  /** Values, ranges and class names that are the model's class: '2,6', '1-3', 'inflamed stroma'. */
  readonly positive?: string;
  /** Values that count neither for nor against the model. */
  readonly ignore?: string;
  /** Values of every other class. Given, a value that is in none of the three lists is a fault. */
  readonly negative?: string;
  /** RGB masks: '#ff0000=2,#00ff00=1'. */
  readonly colours?: string;
  /** Classes known beforehand (a layout's, a labels.json's); the lists above override their meanings. */
  readonly classes?: readonly LabelClass[];
  /** Truth is annotations, whose classes have names and no values: names in the lists need not be known beforehand. */
  readonly byName?: boolean;
}

/** TIGER's classes. Value 0 is not annotated, hence ignored: it is not background. Stroma of healthy tissue is in 7. */
export const TIGER_CLASSES: readonly LabelClass[] = [
  { value: 0, name: 'not annotated', meaning: 'ignored' },
  { value: 1, name: 'invasive tumor', meaning: 'negative' },
  { value: 2, name: 'tumor-associated stroma', meaning: 'positive' },
  { value: 3, name: 'in-situ tumor', meaning: 'negative' },
  { value: 4, name: 'healthy glands', meaning: 'negative' },
  { value: 5, name: 'necrosis not in-situ', meaning: 'negative' },
  { value: 6, name: 'inflamed stroma', meaning: 'positive' },
  { value: 7, name: 'rest', meaning: 'negative' },
];

/**
 * Builds the label map. At least one class must be positive.
 * @throws CONFIG_INVALID for text that is no list of values, a value in two lists, or no positive class.
 */
export function parseLabelMap(options: LabelMapOptions): LabelMap {
  const { byName = false } = options;
  const tokens = [options.positive, options.negative, options.ignore].flatMap(listed);
  const asked = tokens.flatMap(valuesOf);
  const named = byName && options.classes === undefined ? nameClasses(tokens, asked) : undefined;
  const closed = options.classes !== undefined || options.negative !== undefined;
  const extra = byName
    ? annotationClasses(named ?? options.classes ?? [], asked, named !== undefined, closed)
    : undefined;
  const known = [...(named ?? options.classes ?? []), ...(extra?.classes ?? [])];
  const lists: readonly (readonly [LabelMeaning, readonly number[]])[] = [
    ['positive', parseValues(options.positive, '--positive', known)],
    ['ignored', parseValues(options.ignore, '--ignore', known)],
    ['negative', parseValues(options.negative, '--negative', known)],
  ];
  const meaningOf = new Map<number, LabelMeaning>();
  for (const [meaning, values] of lists) {
    for (const value of values) {
      const earlier = meaningOf.get(value);
      if (earlier && earlier !== meaning) {
        throw new StromaflowError('CONFIG_INVALID', `label value ${value} is declared both ${earlier} and ${meaning}`);
      }
      meaningOf.set(value, meaning);
    }
  }
  // Naming the positive classes says what the question is: what a layout holds for positive otherwise, no longer is.
  const replaces = options.positive !== undefined;
  const classes = new Map<number, LabelClass>();
  for (const item of known) {
    const meaning = meaningOf.get(item.value) ?? (replaces && item.meaning === 'positive' ? 'negative' : item.meaning);
    classes.set(item.value, { ...item, meaning });
  }
  for (const [value, meaning] of meaningOf) {
    if (!classes.has(value)) classes.set(value, { value, name: `label ${value}`, meaning });
  }
  const colours = parseColours(options.colours);
  for (const [colour, value] of colours) {
    const at = classes.get(value) ?? { value, name: `label ${value}`, meaning: 'negative' };
    classes.set(value, { ...at, colour });
  }
  return buildLabelMap([...classes.values()], colours, closed, extra?.values ?? {});
}

/**
 * @param given colours of the command line, which count before the set’s own; a class may have several
 * @param closed every value that no class declares is a fault
 * @param annotated values of annotations where they have classes of their own
 */
function buildLabelMap(
  unsorted: readonly LabelClass[],
  given: readonly (readonly [colour: string, value: number])[],
  closed: boolean,
  annotated: Partial<AnnotationValues>,
): LabelMap {
  const classes = [...unsorted].sort((a, b) => a.value - b.value);
  if (!classes.some(item => item.meaning === 'positive')) {
    throw new StromaflowError('CONFIG_INVALID', 'no label value is declared positive', {
      fix: 'name the values of the model’s class with --positive, for example --positive 2,6',
    });
  }
  const meanings = new Uint8Array(256).fill(UNKNOWN);
  if (!closed) meanings.fill(NEGATIVE, 0, HIGHEST_UNDECLARED_VALUE + 1);
  for (const item of classes) meanings[item.value] = LABEL_MEANINGS.indexOf(item.meaning);
  const colours = new Map<number, number>();
  for (const [colour, value] of given) addColour(colours, colour, value);
  for (const { colour, value } of classes) {
    if (colour && !given.some(([asked]) => asked === colour)) addColour(colours, colour, value);
  }
  return { classes, meanings, colours, annotations: { ...defaultValues(meanings), ...annotated } };
}

/** Without classes of their own, annotations take what the map has: 0 is not annotated, as in TIGER's masks. */
function defaultValues(meanings: Uint8Array): AnnotationValues {
  const unknown = meanings.lastIndexOf(UNKNOWN);
  const ignored = meanings.indexOf(IGNORED);
  const isNegative = meanings[HIGHEST_UNDECLARED_VALUE] === NEGATIVE;
  return {
    inside: 0,
    outside: 0,
    ignored: ignored < 0 ? unknown : ignored,
    other: isNegative ? HIGHEST_UNDECLARED_VALUE : unknown,
  };
}

function addColour(colours: Map<number, number>, colour: string, value: number): void {
  const key = Number.parseInt(colour.slice(1), 16);
  const earlier = colours.get(key);
  if (earlier !== undefined && earlier !== value) {
    throw new StromaflowError('CONFIG_INVALID', `colour ${colour} is declared for both ${earlier} and ${value}`);
  }
  colours.set(key, value);
}

/** Name of a value for people: the class's, or 'label 9'. */
export function labelName(map: LabelMap, value: number): string {
  return map.classes.find(item => item.value === value)?.name ?? `label ${value}`;
}

/** Whether values that no class declares count as negative, up to HIGHEST_UNDECLARED_VALUE; else they are faults. */
export function isOpen(map: LabelMap): boolean {
  const declared = new Set(map.classes.map(item => item.value));
  const free = [...map.meanings.keys()].find(value => !declared.has(value));
  return free !== undefined && map.meanings[free] === NEGATIVE;
}

/** One line a class: value, meaning, name. What `labels check` prints and the report shows. */
export function describeLabelMap(map: LabelMap): string[] {
  const lines = map.classes.map(item => {
    const colour = item.colour ? ` ${item.colour}` : '';
    return `${String(item.value).padStart(3)}  ${item.meaning.padEnd(8)}  ${item.name}${colour}`;
  });
  lines.push(
    isOpen(map)
      ? `      negative  every other value up to ${HIGHEST_UNDECLARED_VALUE}`
      : '      a fault   every other value',
  );
  return lines;
}

/** The parts of a list. */
const listed = (text: string | undefined): string[] =>
  text === undefined || text.trim() === '' ? [] : text.split(',').map(part => part.trim());

/** The values a part of a list stands for; none where it is a name. */
function valuesOf(token: string): number[] {
  const range = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(token);
  const first = Number(range?.[1]);
  const last = range?.[2] === undefined ? first : Number(range[2]);
  return last <= 255 && first <= last ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [];
}

function parseValues(text: string | undefined, option: string, known: readonly LabelClass[]): number[] {
  return listed(text).flatMap(token => {
    const values = valuesOf(token);
    if (values.length > 0) return values;
    const named = known.filter(item => normaliseName(item.name) === normaliseName(token));
    if (named.length === 0) throw badList(option, token);
    return named.map(item => item.value);
  });
}

function badList(option: string, token: string): StromaflowError {
  return new StromaflowError('CONFIG_INVALID', `${option}: '${token}' is no label value (0–255), range or class name`);
}

function parseColours(text: string | undefined): [string, number][] {
  if (text === undefined || text.trim() === '') return [];
  return text.split(',').map(part => {
    const match = /^\s*#([0-9a-f]{6})\s*=\s*(\d{1,3})\s*$/i.exec(part);
    if (!match || Number(match[2]) > 255) {
      throw new StromaflowError('CONFIG_INVALID', `--colours: '${part.trim()}' is not of the form #rrggbb=value`);
    }
    return [`#${match[1]!.toLowerCase()}`, Number(match[2])];
  });
}
