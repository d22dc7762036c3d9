import { StromaflowError } from '../errors.js';
import { normaliseName } from './annotation/class-name.js';

/** What a label value means to a binary question: is this pixel tumour-associated stroma? */
export type LabelMeaning = 'positive' | 'negative' | 'ignored' | 'unknown';

export interface LabelClass {
  /** 0–255, as stored in the mask. */
  readonly value: number;
  readonly name: string;
  readonly meaning: LabelMeaning;
  /** '#rrggbb' of the class in RGB masks, lower case. */
  readonly colour?: string;
}

export interface LabelMap {
  /** The declared classes, by value. */
  readonly classes: readonly LabelClass[];
  /** Meaning of every value 0–255: an index into LABEL_MEANINGS. */
  readonly meanings: Uint8Array;
  /** Value of each colour, as 0xrrggbb; empty when masks hold values themselves. */
  readonly colours: ReadonlyMap<number, number>;
  readonly annotations: AnnotationValues;
}

/** Values of annotations that no class declares, and of what no annotation covers. */
export interface AnnotationValues {
  /** Not annotated: inside a region of interest (everywhere in files without one), and outside. */
  readonly inside: number;
  readonly outside: number;
  /** Classes that their annotator wants ignored. */
  readonly ignored: number;
  /** Any other class. */
  readonly other: number;
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

/** Classes of a set of annotations beside those named on the command line. */
const OUTSIDE = { name: 'outside the annotated regions', meaning: 'ignored' } as const;
const INSIDE = { name: 'not annotated', meaning: 'negative' } as const;
const OTHER = { name: 'any other class', meaning: 'negative' } as const;
const STARRED = { name: 'classes ending in *', meaning: 'ignored' } as const;

/** Values from here on stand for annotations: far above the classes of masks, below their usual void markers. */
const FIRST_OF_ANNOTATIONS = 200;

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
  const named = byName && options.classes === undefined ? nameClasses(options) : undefined;
  const closed = options.classes !== undefined || options.negative !== undefined;
  const extra = byName ? annotationClasses(named ?? options.classes ?? [], named !== undefined, closed) : undefined;
  const known = [...(named ?? options.classes ?? []), ...(extra?.classes ?? [])];
  const lists: readonly (readonly [LabelMeaning, readonly number[]])[] = [
    ['positive', parseValues(options.positive, '--positive', known)],
    ['ignored', parseValues(options.ignore, '--ignore', known)],
    ['negative', parseValues(options.negative, '--negative', known)],
  ];
  const asked = new Map<number, LabelMeaning>();
  for (const [meaning, values] of lists) {
    for (const value of values) {
      const earlier = asked.get(value);
      if (earlier && earlier !== meaning) {
        throw new StromaflowError('CONFIG_INVALID', `label value ${value} is declared both ${earlier} and ${meaning}`);
      }
      asked.set(value, meaning);
    }
  }
  // Naming the positive classes says what the question is: what a layout holds for positive otherwise, no longer is.
  const replaces = options.positive !== undefined;
  const classes = new Map<number, LabelClass>();
  for (const item of known) {
    const meaning = asked.get(item.value) ?? (replaces && item.meaning === 'positive' ? 'negative' : item.meaning);
    classes.set(item.value, { ...item, meaning });
  }
  for (const [value, meaning] of asked) {
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
 * Gives every class name in the lists a value of its own, from 2 on. A number is a value of masks and may be the name of a class
 * as well: it has that value.
 */
function nameClasses({ positive, negative, ignore }: LabelMapOptions): LabelClass[] {
  const tokens = [positive, negative, ignore]
    .flatMap(text => text?.split(',') ?? [])
    .map(token => token.trim())
    .filter(token => token !== '' && !/^\d+-\d+$/.test(token));
  const names = new Map<string, string>();
  for (const token of tokens) if (!names.has(normaliseName(token))) names.set(normaliseName(token), token);
  const isValue = (name: string) => /^\d{1,3}$/.test(name) && Number(name) <= 255;
  const taken = new Set([...names.values()].filter(isValue).map(Number));
  return [...names.values()].map(name => {
    const value = isValue(name) ? Number(name) : firstFree(taken, 2);
    taken.add(value);
    return { value, name, meaning: 'negative' };
  });
}

/**
 * The classes that annotations need beside the declared ones, and their values.
 * @param own the declared classes are those of annotations, not a set's
 */
function annotationClasses(
  declared: readonly LabelClass[],
  own: boolean,
  closed: boolean,
): { classes: LabelClass[]; values: Partial<AnnotationValues> } {
  const taken = new Set(declared.map(({ value }) => value));
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

function parseValues(text: string | undefined, option: string, known: readonly LabelClass[]): number[] {
  if (text === undefined || text.trim() === '') return [];
  const values: number[] = [];
  for (const token of text.split(',').map(part => part.trim())) {
    const range = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(token);
    const first = Number(range?.[1]);
    const last = range?.[2] === undefined ? first : Number(range[2]);
    if (last <= 255 && first <= last) {
      for (let value = first; value <= last; value++) values.push(value);
      continue;
    }
    const named = known.filter(item => normaliseName(item.name) === normaliseName(token));
    if (named.length === 0) throw badList(option, token);
    values.push(...named.map(item => item.value));
  }
  return values;
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
