import { StromaflowError } from '../errors.js';
import { LABEL_MEANINGS, type LabelClass, type LabelMeaning } from './labels.js';

/** What a labels.json beside a set states: {"mpp": 0.5, "classes": [{"value": 2, "name": "stroma", "meaning": "positive"}]}. */
export interface LabelsFile {
  readonly mpp?: number;
  readonly classes?: readonly LabelClass[];
}

/**
 * Reads labels.json; undefined where there is none.
 * @throws LABELS_INVALID when it is there and wrong.
 */
export async function readLabelsFile(
  path: string,
  read: (path: string) => Promise<string>,
): Promise<LabelsFile | undefined> {
  let text: string;
  try {
    text = await read(path);
  } catch {
    return undefined;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new StromaflowError('LABELS_INVALID', `${path}: it is no JSON`, { cause });
  }
  const wrong = (what: string) => new StromaflowError('LABELS_INVALID', `${path}: ${what}`);
  if (!isRecord(json)) throw wrong('it is no object');
  const { mpp, classes } = json;
  if (mpp !== undefined && !(typeof mpp === 'number' && mpp > 0)) throw wrong('mpp is no positive number');
  if (classes !== undefined && !Array.isArray(classes)) throw wrong('classes is no list');
  return {
    ...(mpp !== undefined && { mpp }),
    ...(classes && { classes: readClasses(classes, 'classes', wrong) }),
  };
}

/** Checks a list of classes; `name` is the list's, for what `wrong` says. */
export function readClasses(
  list: readonly unknown[],
  name: string,
  wrong: (what: string) => StromaflowError,
): LabelClass[] {
  return list.map((item, i) => readClass(item, `${name}[${i}]`, wrong));
}

function readClass(item: unknown, at: string, wrong: (what: string) => StromaflowError): LabelClass {
  if (!isRecord(item)) throw wrong(`${at} is no object`);
  const { value, name, meaning, colour } = item;
  if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255)) {
    throw wrong(`${at}.value is no integer 0–255`);
  }
  if (typeof name !== 'string') throw wrong(`${at}.name is missing`);
  if (meaning === 'unknown' || !LABEL_MEANINGS.includes(meaning as LabelMeaning)) {
    throw wrong(`${at}.meaning is none of positive, negative, ignored`);
  }
  if (colour !== undefined && !(typeof colour === 'string' && /^#[0-9a-f]{6}$/i.test(colour))) {
    throw wrong(`${at}.colour is not of the form #rrggbb`);
  }
  return {
    value: value as number,
    name,
    meaning: meaning as LabelMeaning,
    ...(typeof colour === 'string' && { colour: colour.toLowerCase() }),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
