import { StromaflowError } from '../../errors.js';
import { unreadable } from '../tiff/probe.js';
import type { FieldCells } from './cells.js';

/** Pixels that a cell may reach beyond its field: what a stage is off by, where fields do not overlap. */
export const PLACE_TOLERANCE = 4;
/** Fields whose places differ by less than this part of a field stand in one row or column. */
const SAME_LINE = 0.25;
const MAX_CELLS = 4_000_000;
/** Pixels from the stage's origin: of a stage of kilometres. */
const MAX_PLACE = 2 ** 40;

/** A field by its image and the upper left corner of it, in pixels of any origin. */
export interface PlacedField {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** A grid of cells of one size, each cut out of one field; lengths in pixels. */
export interface FieldGrid {
  readonly cols: number;
  readonly rows: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly cells: FieldCells;
}

/**
 * Makes a grid of fields: cells as wide as the step between fields, so that they meet exactly, each cut out of the middle of
 * its field at the pixel the stage's place says. Nothing is blended. Fields that do not overlap are their cells.
 *
 * @throws SLIDE_UNSUPPORTED for fields that leave gaps, lie off a grid, or lie on each other; SLIDE_UNREADABLE for places or
 * spacings no stage has.
 */
export function gridFields(
  path: string,
  fields: readonly PlacedField[],
  size: { readonly width: number; readonly height: number },
): FieldGrid {
  const lost = fields.find(({ x, y }) => !(Math.abs(x) <= MAX_PLACE && Math.abs(y) <= MAX_PLACE));
  if (lost) throw unreadable(path, `${lost.name} lies at no place that can be counted in pixels`);
  const across = axisOf(
    path,
    'x',
    fields.map(({ x }) => x),
    size.width,
  );
  const down = axisOf(
    path,
    'y',
    fields.map(({ y }) => y),
    size.height,
  );
  const [cols, rows] = [across.count, down.count];
  if (cols * rows > MAX_CELLS) throw unreadable(path, `its fields lie on a grid of ${cols} × ${rows}`);
  const names = new Array<string>(cols * rows).fill('');
  const lefts = new Array<number>(cols * rows).fill(0);
  const tops = new Array<number>(cols * rows).fill(0);
  for (const [index, { name }] of fields.entries()) {
    const tile = down.lines[index]! * cols + across.lines[index]!;
    if (names[tile] !== '') throw refused(path, `${names[tile]} and ${name} lie in one place`);
    names[tile] = name;
    lefts[tile] = across.starts[index]!;
    tops[tile] = down.starts[index]!;
  }
  const cells = { ...size, names, lefts, tops };
  return { cols, rows, tileWidth: across.step, tileHeight: down.step, cells };
}

/** One axis of the grid. */
interface Axis {
  /** Pixels from one cell to the next, and of a cell. */
  readonly step: number;
  readonly count: number;
  /** Row or column of each field, and where its cell begins in it. */
  readonly lines: readonly number[];
  readonly starts: readonly number[];
}

function axisOf(path: string, axis: 'x' | 'y', places: readonly number[], size: number): Axis {
  const means = linesOf(places, size * SAME_LINE);
  const exact = stepOf(means);
  // Of one line nothing says how wide it is to be: as wide as all its fields see.
  const alone = size - Math.ceil(extreme(places, 1) - extreme(places, -1));
  const step = Math.max(1, exact === undefined ? alone : Math.min(size, Math.round(exact)));
  const first = means[0]!;
  const lines = places.map(place => (exact === undefined ? 0 : Math.round((place - first) / exact)));
  if (exact !== undefined && exact > size + PLACE_TOLERANCE)
    throw refused(path, `its fields are ${size} pixels long in ${axis} and stand ${px(exact)} pixels apart`);
  // Where a field lies beside the cell of its line, and the middle of all that: half the overlap on either side is spare.
  const offsets = places.map((place, index) => place - lines[index]! * step);
  const [least, most] = [extreme(offsets, -1), extreme(offsets, 1)];
  const middle = (least + most) / 2;
  const spare = size - step;
  const beyond = (most - least) / 2 - spare / 2;
  if (beyond > PLACE_TOLERANCE)
    throw refused(
      path,
      `its fields lie up to ${px((most - least) / 2)} pixels off a grid of ${px(exact ?? size)} pixels in ${axis}, and an overlap of ${px(spare)} pixels makes up for ${px(spare / 2)}`,
    );
  const starts = offsets.map(offset => Math.min(spare, Math.max(0, Math.round(spare / 2 + middle - offset))));
  return { step, count: extreme(lines, 1) + 1, lines, starts };
}

/** Means of the groups that the places fall into, in order. */
function linesOf(places: readonly number[], apart: number): number[] {
  const sorted = Float64Array.from(places).sort();
  const groups: { sum: number; count: number }[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const place of sorted) {
    if (place - last > apart) groups.push({ sum: 0, count: 0 });
    const group = groups.at(-1)!;
    group.sum += place;
    group.count += 1;
    last = place;
  }
  return groups.map(({ sum, count }) => sum / count);
}

/** Mean distance of neighbouring lines; lines that nobody visited are counted. Undefined for one line. */
function stepOf(means: readonly number[]): number | undefined {
  if (means.length < 2) return undefined;
  const distances = means.slice(1).map((mean, index) => mean - means[index]!);
  const least = extreme(distances, -1);
  const total = distances.reduce((sum, distance) => sum + Math.max(1, Math.round(distance / least)), 0);
  return (means.at(-1)! - means[0]!) / total;
}

/** The least (-1) or greatest (1) of many: spreading a million numbers into a call would overflow its stack. */
function extreme(values: readonly number[], sign: 1 | -1): number {
  let found = values[0]!;
  for (const value of values) if ((value - found) * sign > 0) found = value;
  return found;
}

const px = (length: number): string => String(Math.round(length * 10) / 10);

const refused = (path: string, what: string): StromaflowError =>
  new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${what}`, {
    fix: 'stitch the fields into a TIFF or OME-TIFF first, scan a regular grid without gaps, or correct the spacing with --mpp',
  });
