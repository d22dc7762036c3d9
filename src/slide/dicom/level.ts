import { StromaflowError } from '../../errors.js';
import type { DicomGrid } from './description.js';
import type { Facts } from './facts.js';
import type { DicomInstance, InstanceHeader } from './instance.js';

/** More tiles than any level has; a sparse level's grid is allocated by what its file claims. */
const MAX_TILES = 2 ** 22;

/**
 * The frames of one level, from the instances that hold it: one, or the parts of a concatenation.
 *
 * @param index of an instance among the slide's files.
 * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED, SLIDE_TRUNCATED (a part of the concatenation is not there)
 */
export function describeLevel(
  instances: readonly DicomInstance[],
  index: (instance: DicomInstance) => number,
): DicomGrid {
  const [first, ...others] = instances as readonly [DicomInstance, ...DicomInstance[]];
  for (const other of others) checkFits(first, other);
  checkAllThere(instances);
  const grid = emptyGrid(first);
  for (const instance of instances) placeFrames(grid, instance, index(instance));
  return grid;
}

/**
 * A level's grid before any frame is in it.
 *
 * @throws SLIDE_UNREADABLE when it is larger than any slide.
 */
export function emptyGrid(header: InstanceHeader): DicomGrid {
  const grid = unknownGrid(header);
  const { cols, rows } = grid;
  const { path } = header;
  if (cols * rows > MAX_TILES)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: claims a grid of ${cols} × ${rows} frames`);
  return {
    ...grid,
    parts: new Int32Array(new SharedArrayBuffer(cols * rows * 4)).fill(-1),
    starts: new Float64Array(new SharedArrayBuffer(cols * rows * 8)),
    ends: new Float64Array(new SharedArrayBuffer(cols * rows * 8)),
  };
}

/** A level of which nobody will read a frame: nothing is allocated by what it claims. */
export function unknownGrid({ facts, syntax }: InstanceHeader): DicomGrid {
  const { matrixColumns, matrixRows, columns, rows, samplesPerPixel, planar, photometric } = facts;
  return {
    cols: Math.ceil(matrixColumns / columns),
    rows: Math.ceil(matrixRows / rows),
    parts: new Int32Array(),
    starts: new Float64Array(),
    ends: new Float64Array(),
    codec: syntax.codec,
    encapsulated: syntax.encapsulated,
    samplesPerPixel,
    planar,
    photometric,
  };
}

/** Parts must be of one kind. @throws SLIDE_UNREADABLE */
export function checkFits(first: InstanceHeader, { path, facts, syntax }: InstanceHeader): void {
  const same =
    syntax.codec === first.syntax.codec &&
    syntax.encapsulated === first.syntax.encapsulated &&
    facts.rows === first.facts.rows &&
    facts.columns === first.facts.columns &&
    facts.samplesPerPixel === first.facts.samplesPerPixel &&
    facts.photometric === first.facts.photometric &&
    facts.planar === first.facts.planar;
  if (!same) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: does not fit the other parts of its level`);
}

function checkAllThere(instances: readonly DicomInstance[]): void {
  const first = instances[0]!;
  const expected = Math.max(...instances.map(({ facts }) => facts.parts));
  if (first.facts.concatenation === '' || expected === 0) return;
  const there = new Set(instances.map(({ facts }) => facts.part));
  if (there.size < expected)
    throw new StromaflowError(
      'SLIDE_TRUNCATED',
      `${first.path}: only ${there.size} of the ${expected} parts of its level are there`,
    );
}

/** The first frame of a place stays: further focal planes and optical paths come later (PS3.3, C.7.6.17.3). */
function placeFrames(grid: DicomGrid, instance: DicomInstance, part: number): void {
  for (const [frame, tile] of tilesOfFrames(grid, instance))
    if (grid.parts[tile] === -1) placeFrame(grid, tile, instance, frame, part);
}

export function placeFrame(
  grid: DicomGrid,
  tile: number,
  { frames }: DicomInstance,
  frame: number,
  part: number,
): void {
  grid.parts[tile] = part;
  grid.starts[tile] = frames.starts[frame]!;
  grid.ends[tile] = frames.ends[frame]!;
}

/** True when each frame states its place; else frames lie row by row, through all parts. */
export const isByPosition = ({ facts }: InstanceHeader): boolean => !facts.tiledFull && facts.positions.length > 0;

/**
 * Each frame of an instance with the tile it shows; those beyond the grid, of further planes, are left out.
 *
 * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED when a frame has no place in the grid.
 */
export function* tilesOfFrames(
  grid: DicomGrid,
  instance: InstanceHeader,
): Generator<readonly [frame: number, tile: number], void, undefined> {
  const { path, facts } = instance;
  const byPosition = isByPosition(instance);
  if (!byPosition && facts.concatenation === '' && facts.frames < grid.cols * grid.rows)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: does not say where its frames belong`);
  for (let frame = 0; frame < facts.frames; frame++) {
    const tile = byPosition ? tileAt(grid, path, facts, frame) : facts.frameOffset + frame;
    if (tile < grid.parts.length) yield [frame, tile];
  }
}

function tileAt({ cols }: DicomGrid, path: string, facts: Readonly<Facts>, frame: number): number {
  const x = (facts.positions[frame * 2] ?? 0) - 1;
  const y = (facts.positions[frame * 2 + 1] ?? 0) - 1;
  if (!(x >= 0 && x < facts.matrixColumns && y >= 0 && y < facts.matrixRows))
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: frame ${frame + 1} lies outside of the slide`);
  if (x % facts.columns !== 0 || y % facts.rows !== 0)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: its frames lie on no grid`);
  return (y / facts.rows) * cols + x / facts.columns;
}
