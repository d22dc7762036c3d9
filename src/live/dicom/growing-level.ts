import type { DicomGrid } from '../../slide/dicom/description.js';
import type { DicomInstance, InstanceHeader } from '../../slide/dicom/instance.js';
import { checkFits, placeFrame, tilesOfFrames } from '../../slide/dicom/level.js';
import { bytesAt, instanceContent, levelContent } from './content.js';
import { PartTable } from './part-table.js';

/** Parts that are named when many are lacking. */
const MOST_NAMED = 5;

/** A part whose frames are in the grid. */
interface Taken {
  readonly instance: DicomInstance;
  /** Its number in the part table. */
  readonly part: number;
  readonly content: string;
}

/** The level that is followed: its parts, in any order, and where each puts its frames. */
export class GrowingLevel {
  readonly #first: InstanceHeader;
  readonly #parts: PartTable;
  readonly #grid: DicomGrid;
  /** By the file's name. */
  readonly #taken = new Map<string, Taken>();
  readonly #byPart: DicomInstance[] = [];
  #seen = 0;
  #overwritten = 0;
  #wasReplaced = false;

  /** @param grid of this level, in which nothing is placed yet. */
  constructor(first: InstanceHeader, grid: DicomGrid, parts: PartTable) {
    this.#first = first;
    this.#grid = grid;
    this.#parts = parts;
  }

  /** Tiles that have come. */
  get seen(): number {
    return this.#seen;
  }

  /** Tiles that came again. */
  get overwritten(): number {
    return this.#overwritten;
  }

  /** Pixels that were given out are not those of the slide any more. */
  get wasReplaced(): boolean {
    return this.#wasReplaced;
  }

  get instances(): readonly DicomInstance[] {
    return this.#byPart;
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** Names of the files that were taken. */
  get names(): Iterable<string> {
    return this.#taken.keys();
  }

  get content(): string {
    return levelContent(this.#grid, this.#parts);
  }

  /**
   * Places the frames of a part that is whole; the tiles that came by it.
   *
   * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED when it does not fit the level.
   */
  take(name: string, instance: DicomInstance): number[] {
    checkFits(this.#first, instance);
    const content = instanceContent(instance);
    const part = this.#parts.add(name, instance.syntax.deflated ? instance.dataAt : undefined);
    this.#taken.set(name, { instance, part, content });
    this.#byPart[part] = instance;
    const came: number[] = [];
    for (const [frame, tile] of tilesOfFrames(this.#grid, instance)) {
      if (this.#grid.parts[tile] !== -1) this.#meetAgain(tile, instance, frame);
      else {
        placeFrame(this.#grid, tile, instance, frame, part);
        came.push(tile);
      }
    }
    this.#seen += came.length;
    return came;
  }

  /** A file that was taken has changed, and is whole: the same frames change nothing. */
  takeAgain(name: string, instance: DicomInstance): void {
    const taken = this.#taken.get(name)!;
    if (taken.instance === instance) return;
    if (instanceContent(instance) !== taken.content) {
      this.#wasReplaced = true;
      return;
    }
    this.#overwritten += instance.facts.frames;
    this.#taken.set(name, { ...taken, instance });
  }

  /** A further plane of the same place, or the tile once more. Of two, that of the earlier part is the slide's. */
  #meetAgain(tile: number, instance: DicomInstance, frame: number): void {
    const { parts, starts, ends } = this.#grid;
    const other = this.#byPart[parts[tile]!]!;
    const [start, end] = [instance.frames.starts[frame]!, instance.frames.ends[frame]!];
    const length = ends[tile]! - starts[tile]!;
    const isSame =
      end - start === length &&
      !instance.syntax.deflated &&
      bytesAt(other.path, starts[tile]!, length).equals(bytesAt(instance.path, start, length));
    if (isSame) this.#overwritten += 1;
    else if (instance.facts.part < other.facts.part) this.#wasReplaced = true;
  }
}

/** True when a level's parts are all there; undefined when nothing says how many there will be. */
export function isAllThere(parts: readonly InstanceHeader[]): boolean | undefined {
  const { facts } = parts[0]!;
  if (facts.concatenation === '') return true;
  const announced = Math.max(...parts.map(part => part.facts.parts));
  if (announced > 0) return new Set(parts.map(part => part.facts.part)).size >= announced;
  const frames = parts.reduce((sum, part) => sum + part.facts.frames, 0);
  const grid = Math.ceil(facts.matrixColumns / facts.columns) * Math.ceil(facts.matrixRows / facts.rows);
  return frames >= grid ? true : undefined;
}

/** For people: which of the parts that are announced are not there. */
export function lackingParts(parts: readonly InstanceHeader[]): string | undefined {
  const announced = Math.max(0, ...parts.map(({ facts }) => facts.parts));
  const there = new Set(parts.map(({ facts }) => facts.part));
  const lacking = Array.from({ length: announced }, (_, index) => index + 1).filter(part => !there.has(part));
  if (lacking.length === 0) return undefined;
  const named = lacking.slice(0, MOST_NAMED).join(', ');
  return `part${lacking.length > 1 ? 's' : ''} ${named}${lacking.length > MOST_NAMED ? ' and others' : ''} of ${announced}`;
}

/** @param levels of the slide. */
export function partTableFor(folder: string, levels: readonly (readonly InstanceHeader[])[]): PartTable {
  return PartTable.create(folder, Math.max(...levels.flat().map(({ facts }) => facts.parts)));
}
