import { StromaflowError } from '../../errors.js';
import type { DicomGrid } from './description.js';
import type { Facts } from './facts.js';
import type { DicomInstance, InstanceHeader } from './instance.js';
import { isByPosition, layersOf, middleOf, readPath, tilesOf } from './planes.js';

export { isByPosition };

/** More tiles than any level has; a sparse level's grid is allocated by what its file claims. */
const MAX_TILES = 2 ** 22;

/** Pixels of a level that belong to the slide: the matrix, without what only fills its last frames up. */
export interface LevelExtent {
  readonly width: number;
  readonly height: number;
}

/**
 * The frames of one level, from the instances that hold it: one, or the parts of a concatenation. Of several focal planes of a
 * place the middle one is taken.
 *
 * @param index of an instance among the slide's files.
 * @param dropped told which frames are not read because another lies at their place and depth, from 1 through all parts.
 * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED, SLIDE_TRUNCATED (a part of the concatenation is not there)
 */
export function describeLevel(
  instances: readonly DicomInstance[],
  extent: LevelExtent,
  index: (instance: DicomInstance) => number,
  dropped: (frames: readonly number[]) => void = () => undefined,
): DicomGrid {
  const [first, ...others] = instances as readonly [DicomInstance, ...DicomInstance[]];
  for (const other of others) checkFits(first, other);
  checkAllThere(instances);
  const grid = emptyGrid(first, extent);
  const places = new FramePlaces(grid);
  checkFrameCount(instances);
  for (const instance of instances) places.add(instance, index(instance));
  dropped(places.dropped);
  return grid;
}

/**
 * A level's grid before any frame is in it.
 *
 * @throws SLIDE_UNREADABLE when it is larger than any slide.
 */
export function emptyGrid(header: InstanceHeader, extent: LevelExtent): DicomGrid {
  const grid = unknownGrid(header, extent);
  const { cols, rows } = grid;
  const { path } = header;
  if (tilesOf(header) > MAX_TILES)
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: claims a grid of ${cols} × ${rows} frames`);
  return {
    ...grid,
    parts: new Int32Array(new SharedArrayBuffer(cols * rows * 4)).fill(-1),
    starts: new Float64Array(new SharedArrayBuffer(cols * rows * 8)),
    ends: new Float64Array(new SharedArrayBuffer(cols * rows * 8)),
  };
}

/** A level of which nobody will read a frame: nothing is allocated by what it claims. */
export function unknownGrid({ facts, syntax }: InstanceHeader, { width, height }: LevelExtent): DicomGrid {
  const { columns, rows, samplesPerPixel, planar, photometric } = facts;
  return {
    cols: Math.ceil(width / columns),
    rows: Math.ceil(height / rows),
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

/**
 * Frames in the order of TILED_FULL lie where their number says: one too many or too few, and all behind lie elsewhere.
 *
 * @param instances of a level, all of them where it is known how many there are.
 * @throws SLIDE_UNREADABLE where they are not one for each place, focal plane and light path.
 */
export function checkFrameCount(instances: readonly InstanceHeader[]): void {
  const first = instances[0]!;
  const { concatenation, planes, paths } = first.facts;
  if (isByPosition(first)) return;
  if (concatenation !== '' && instances.every(({ facts }) => facts.parts === 0)) return;
  const frames = instances.reduce((sum, { facts }) => sum + facts.frames, 0);
  const places = tilesOf(first);
  if (frames < places && concatenation === '')
    throw new StromaflowError('SLIDE_UNREADABLE', `${first.path}: does not say where its frames belong`);
  const lights = Math.max(1, paths.length);
  // Planes and paths may lie in instances of their own; where nothing says how many there are, the number of frames does.
  const layers = [1, lights, planes, planes * lights].filter(count => count > 0);
  if (frames >= places && (planes > 0 ? layers.includes(frames / places) : frames % places === 0)) return;
  const stated = planes * lights > 1 ? ` in ${planes} focal planes and ${lights} light paths` : '';
  throw new StromaflowError(
    'SLIDE_UNREADABLE',
    `${first.path}: has ${frames} frames for ${places} places${stated}, so that nobody knows where they belong`,
  );
}

/** A frame of a place in the grid. */
interface PlacedFrame {
  readonly instance: DicomInstance;
  readonly frame: number;
  readonly part: number;
}

/**
 * What became of a place when a frame of it was added: it was empty; it shows another frame now; it was shown already in that plane,
 * or in another one.
 */
export type Placing = 'first' | 'other' | 'again' | 'further';

/** A place told of. */
export interface Placed {
  readonly tile: number;
  readonly placing: Placing;
  readonly frame: number;
  /** Where the frame lay that the place had before; part −1 for none. */
  readonly before: { readonly part: number; readonly start: number; readonly end: number };
}

/** Puts frames into a grid: of a place that several show, the one in the middle of their depths. */
export class FramePlaces {
  readonly #grid: DicomGrid;
  /** The frame that a place has. */
  readonly #frames: Int32Array;
  readonly #instances: DicomInstance[] = [];
  /** By place, of those with several depths: a frame of each. */
  readonly #stacks = new Map<number, PlacedFrame[]>();
  readonly #dropped: number[] = [];

  /** @param grid in which nothing is placed yet. */
  constructor(grid: DicomGrid) {
    this.#grid = grid;
    this.#frames = new Int32Array(grid.parts.length);
  }

  /** Frames that are not read because another lies at their place and depth; from 1, through all parts. */
  get dropped(): readonly number[] {
    return this.#dropped;
  }

  /** @param told of each place that a frame of the instance shows. */
  add(instance: DicomInstance, part: number, told: (placed: Placed) => void = () => undefined): void {
    this.#instances[part] = instance;
    const { parts, starts, ends } = this.#grid;
    for (const [frame, tile] of tilesOfFrames(this.#grid, instance)) {
      const before = { part: parts[tile]!, start: starts[tile]!, end: ends[tile]! };
      told({ tile, placing: this.#place(tile, { instance, frame, part }), frame, before });
    }
  }

  #place(tile: number, placed: PlacedFrame): Placing {
    const part = this.#grid.parts[tile]!;
    if (part === -1) {
      this.#put(tile, placed);
      return 'first';
    }
    const frame = this.#frames[tile]!;
    const stack = this.#stacks.get(tile) ?? [{ instance: this.#instances[part]!, frame, part }];
    const alike = stack.findIndex(other => depthOf(other) === depthOf(placed));
    // Of two in one plane that of the earlier part, else the first, stays.
    if (alike < 0) stack.push(placed);
    else {
      const isEarlier = placed.instance.facts.part < stack[alike]!.instance.facts.part;
      const lost = isEarlier ? stack[alike]! : placed;
      if (isEarlier) stack[alike] = placed;
      this.#dropped.push(lost.instance.facts.frameOffset + lost.frame + 1);
    }
    if (stack.length > 1) this.#stacks.set(tile, stack);
    const middle = middleOf(stack.toSorted((a, b) => depthOf(a) - depthOf(b)))!;
    if (middle.part === part && middle.frame === frame) return alike < 0 ? 'further' : 'again';
    this.#put(tile, middle);
    return 'other';
  }

  #put(tile: number, { instance, frame, part }: PlacedFrame): void {
    const { parts, starts, ends } = this.#grid;
    this.#frames[tile] = frame;
    starts[tile] = instance.frames.starts[frame]!;
    ends[tile] = instance.frames.ends[frame]!;
    parts[tile] = part;
  }
}

/** Frames that do not say how deep they lie are in one plane. */
function depthOf({ instance: { facts }, frame }: PlacedFrame): number {
  const depth = facts.depths[frame] ?? Number.NaN;
  return Number.isNaN(depth) ? 0 : depth;
}

/**
 * Each frame of an instance with the tile it shows, of the light path that is read; those in other layers, and those that lie in
 * what only fills the matrix up, are left out.
 *
 * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED when a frame has no place in the grid.
 */
function* tilesOfFrames(
  { cols, rows }: DicomGrid,
  instance: InstanceHeader,
): Generator<readonly [frame: number, tile: number], void, undefined> {
  const { path, facts } = instance;
  const byPosition = isByPosition(instance);
  const places = tilesOf(instance);
  const across = Math.ceil(facts.matrixColumns / facts.columns);
  if (facts.concatenation === '') checkFrameCount([instance]);
  const first = layersOf(instance).read * places;
  const light = readPath(instance);
  for (let frame = 0; frame < facts.frames; frame++) {
    if (byPosition && (facts.framePaths[frame] ?? light) !== light) continue;
    const place = byPosition ? placeAt(across, path, facts, frame) : facts.frameOffset + frame - first;
    const col = place % across;
    const row = (place - col) / across;
    if (place >= 0 && place < places && col < cols && row < rows) yield [frame, row * cols + col];
  }
}

function placeAt(across: number, path: string, facts: Readonly<Facts>, frame: number): number {
  const x = (facts.positions[frame * 2] ?? 0) - 1;
  const y = (facts.positions[frame * 2 + 1] ?? 0) - 1;
  if (!(x >= 0 && x < facts.matrixColumns && y >= 0 && y < facts.matrixRows))
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: frame ${frame + 1} lies outside of the slide`);
  if (x % facts.columns !== 0 || y % facts.rows !== 0)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: its frames lie on no grid`);
  return (y / facts.rows) * across + x / facts.columns;
}
