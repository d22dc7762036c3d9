import { StromaflowError } from '../../errors.js';
import type { DicomGrid } from './description.js';
import type { Facts } from './facts.js';
import type { DicomInstance } from './instance.js';

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
  const first = instances[0]!;
  const { matrixColumns, matrixRows, columns, rows: tileRows, samplesPerPixel, planar, photometric } = first.facts;
  checkParts(instances);
  const cols = Math.ceil(matrixColumns / columns);
  const rows = Math.ceil(matrixRows / tileRows);
  if (cols * rows > MAX_TILES)
    throw new StromaflowError('SLIDE_UNREADABLE', `${first.path}: claims a grid of ${cols} × ${rows} frames`);
  const grid: DicomGrid = {
    cols,
    rows,
    parts: new Int32Array(new SharedArrayBuffer(cols * rows * 4)).fill(-1),
    starts: new Float64Array(new SharedArrayBuffer(cols * rows * 8)),
    ends: new Float64Array(new SharedArrayBuffer(cols * rows * 8)),
    codec: first.syntax.codec,
    encapsulated: first.syntax.encapsulated,
    samplesPerPixel,
    planar,
    photometric,
  };
  for (const instance of instances) placeFrames(grid, instance, index(instance));
  return grid;
}

/** Parts must be of one kind, and all there. */
function checkParts(instances: readonly DicomInstance[]): void {
  const [first, ...others] = instances as readonly [DicomInstance, ...DicomInstance[]];
  for (const { path, facts, syntax } of others) {
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
function placeFrames(grid: DicomGrid, { path, facts, frames }: DicomInstance, part: number): void {
  const byPosition = !facts.tiledFull && facts.positions.length > 0;
  if (!byPosition && facts.concatenation === '' && facts.frames < grid.cols * grid.rows)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: does not say where its frames belong`);
  for (let frame = 0; frame < facts.frames; frame++) {
    const tile = byPosition ? tileAt(grid, path, facts, frame) : facts.frameOffset + frame;
    if (tile >= grid.parts.length || grid.parts[tile] !== -1) continue;
    grid.parts[tile] = part;
    grid.starts[tile] = frames.starts[frame]!;
    grid.ends[tile] = frames.ends[frame]!;
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
