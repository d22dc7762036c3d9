import type { StromaflowError } from '../../errors.js';
import { unreadable as unreadableFile } from '../tiff/probe.js';

/** Where one field of view was taken. */
export interface FieldRow {
  /** Empty where the file knows no regions. */
  readonly region: string;
  /** Number within the region, from 0. */
  readonly fov: number;
  /** Undefined where the file does not say. */
  readonly z: number | undefined;
  /** The image's name below the file's folder; undefined where it follows from region, fov and z. */
  readonly file: string | undefined;
  /** To the right and down, in `unit`s. */
  readonly x: number;
  readonly y: number;
}

export interface Coordinates {
  /**
   * 'plan': what will be scanned, written before the first image (Squid's file beside its parameters). 'visited': a row a
   * field that was taken (Squid's file of a time point). 'files': names and places, as any lab can write it.
   */
  readonly kind: 'plan' | 'visited' | 'files';
  readonly unit: 'mm' | 'px';
  readonly rows: readonly FieldRow[];
}

const unreadable = (path: string, what: string): StromaflowError =>
  unreadableFile(path, what, 'correct the table; docs/scanners.md says what its columns mean');

const MAX_ROWS = 1_000_000;
const MAX_NAME = 200;
/** Stages are no larger than metres, slides no wider than 2^24 pixels. */
const MAX_PLACE = 2 ** 25;

/**
 * Reads coordinates.csv: Squid's (`region`, `fov`, `z_level`, `x (mm)`, `y (mm)`, and others that are passed over; without
 * `fov` its plan), or `file` with `x`, `y` in pixels or `x (mm)`, `y (mm)`. Undefined for a table about something else. A last
 * line without its end is left out unless the file is over.
 *
 * @throws SLIDE_UNREADABLE for rows that say nothing, and for names that lead elsewhere.
 */
export function parseCoordinates(path: string, text: string, over: boolean): Coordinates | undefined {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const tail = lines.pop()!;
  if (over && tail.trim() !== '') lines.push(tail);
  const [head, ...body] = lines;
  if (head === undefined) return undefined;
  const columns = splitLine(head).map(name => name.trim());
  const shape = shapeOf(columns);
  if (!shape) return undefined;
  const { kind, unit, x, y } = shape;
  if (body.length > MAX_ROWS) throw unreadable(path, `has more than ${MAX_ROWS} rows`);
  const next = new Map<string, number>();
  const rows = body.flatMap((line, index): FieldRow[] => {
    if (line.trim() === '') return [];
    const cells = splitLine(line);
    if (cells.length !== columns.length)
      throw unreadable(path, `row ${index + 1} has ${cells.length} columns instead of ${columns.length}`);
    const cell = (name: string): string | undefined => cells[columns.indexOf(name)]?.trim();
    const number = (name: string): number => numberOf(path, index, name, cell(name));
    const region = kind === 'files' ? '' : cell('region')!;
    if (kind !== 'files' && !isName(region)) throw unreadable(path, `row ${index + 1} has no region's name`);
    const file = kind === 'files' ? cell('file')! : undefined;
    if (file !== undefined && !isPathBelow(file))
      throw unreadable(path, `row ${index + 1} names no file below its folder`);
    const fov = kind === 'visited' ? indexOf(path, index, 'fov', cell('fov')) : (next.get(region) ?? 0);
    next.set(region, fov + 1);
    const z = columns.includes('z_level') ? indexOf(path, index, 'z_level', cell('z_level')) : undefined;
    return [{ region, fov, z, file, x: number(x), y: number(y) }];
  });
  return { kind, unit, rows };
}

function shapeOf(columns: readonly string[]) {
  const has = (...names: string[]): boolean => names.every(name => columns.includes(name));
  const inMm = { unit: 'mm', x: 'x (mm)', y: 'y (mm)' } as const;
  const isInMm = has(inMm.x, inMm.y);
  if (has('file')) {
    if (isInMm) return { kind: 'files', ...inMm } as const;
    return has('x', 'y') ? ({ kind: 'files', unit: 'px', x: 'x', y: 'y' } as const) : undefined;
  }
  if (!has('region') || !isInMm) return undefined;
  return { kind: has('fov') ? 'visited' : 'plan', ...inMm } as const;
}

/** Cells of a line; quoted ones may hold commas, and quotes that are doubled (RFC 4180). */
function splitLine(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (char === '"' && quoted && line[at + 1] === '"') {
      cell += char;
      at++;
    } else if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      cells.push(cell);
      cell = '';
    } else cell += char;
  }
  return [...cells, cell];
}

function numberOf(path: string, index: number, name: string, cell: string | undefined): number {
  const value = cell === undefined || cell === '' ? Number.NaN : Number(cell);
  if (!(Math.abs(value) <= MAX_PLACE)) throw unreadable(path, `row ${index + 1}: its ${name} is no number`);
  return value;
}

function indexOf(path: string, index: number, name: string, cell: string | undefined): number {
  if (cell === undefined || !/^\d{1,7}(\.0)?$/.test(cell))
    throw unreadable(path, `row ${index + 1}: its ${name} is no number from 0`);
  return Number(cell);
}

/** One name of a file system, not hidden, of no other folder. */
const isName = (name: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: such names are what is refused here
  name !== '' && name.length <= MAX_NAME && !/[/\\#\u0000-\u001f]/.test(name) && !name.startsWith('.');

const isPathBelow = (path: string): boolean => path.split('/').every(isName);
