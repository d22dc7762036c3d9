import type { ChosenLevel } from '../../slide/dicom/choose-levels.js';
import type { DicomGrid } from '../../slide/dicom/description.js';
import type { DicomInstance, InstanceHeader } from '../../slide/dicom/instance.js';
import { checkFits, checkFrameCount, FramePlaces, type Placed } from '../../slide/dicom/level.js';
import { PartTable } from '../../slide/dicom/part-table.js';
import { droppedNotes, isByPosition, layersOf, tilesOf } from '../../slide/dicom/planes.js';
import type { SlideNote } from '../../slide/note.js';
import { bytesAt, instanceContent, levelContent } from './content.js';

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
  readonly #places: FramePlaces;
  /** Names of files that hold the same as one that was taken, under the same UID. */
  readonly #twins = new Set<string>();
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
    this.#places = new FramePlaces(grid);
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

  /** Of frames that another has taken the place of. */
  get notes(): readonly SlideNote[] {
    return droppedNotes(this.#places.dropped);
  }

  get instances(): readonly DicomInstance[] {
    return this.#byPart;
  }

  has(name: string): boolean {
    return this.#taken.has(name) || this.#twins.has(name);
  }

  /** Names of the files that were taken. */
  get names(): Iterable<string> {
    return this.#taken.keys();
  }

  get content(): string {
    return levelContent(this.#grid, this.#parts);
  }

  /**
   * Places the frames of a part that is whole. One that does not fit is not taken, unless it places frames outside of the level.
   *
   * @param came tiles that came by this look and were not given out yet; those of the part are added.
   * @throws SLIDE_UNREADABLE, SLIDE_UNSUPPORTED when it does not fit the level.
   */
  take(name: string, instance: DicomInstance, came: Set<number>): void {
    checkFits(this.#first, instance);
    const content = instanceContent(instance);
    const uid = instance.facts.instance;
    const twin =
      uid === '' ? undefined : [...this.#taken.values()].find(other => other.instance.facts.instance === uid);
    if (twin) {
      this.#twins.add(name);
      if (twin.content !== content) this.#wasReplaced = true;
      return;
    }
    const parts = [...this.#byPart.filter(one => one !== undefined), instance];
    if (instance.facts.concatenation !== '' && isAllThere(parts) === true) checkFrameCount(parts);
    const part = this.#parts.add(name, instance.syntax.deflated ? instance.dataAt : undefined);
    this.#taken.set(name, { instance, part, content });
    this.#byPart[part] = instance;
    this.#places.add(instance, part, placed => this.#meet(placed, instance, came));
  }

  /** A file that was taken has changed, and is whole: the same frames change nothing. */
  takeAgain(name: string, instance: DicomInstance): void {
    const taken = this.#taken.get(name);
    if (!taken || taken.instance === instance) return;
    if (instanceContent(instance) !== taken.content) {
      this.#wasReplaced = true;
      return;
    }
    this.#overwritten += instance.facts.frames;
    this.#taken.set(name, { ...taken, instance });
  }

  #meet({ tile, placing, frame, before }: Placed, instance: DicomInstance, came: Set<number>): void {
    if (placing === 'first') {
      came.add(tile);
      this.#seen += 1;
    } else if (placing !== 'further' && this.#isSame(before, instance, frame)) this.#overwritten += 1;
    // Pixels that nobody has read yet may still become others.
    else if (placing === 'other' && !came.has(tile)) this.#wasReplaced = true;
  }

  #isSame({ part, start, end }: Placed['before'], instance: DicomInstance, frame: number): boolean {
    const from = instance.frames.starts[frame]!;
    const length = instance.frames.ends[frame]! - from;
    if (instance.syntax.deflated || length !== end - start) return false;
    try {
      return bytesAt(this.#byPart[part]!.path, start, length).equals(bytesAt(instance.path, from, length));
    } catch {
      // What cannot be compared now may differ: the slide is read anew.
      return false;
    }
  }
}

/** Of frames that say where they lie nobody knows the middle plane before all are there. */
export const isStack = (first: InstanceHeader): boolean => isByPosition(first) && first.facts.planes > 1;

/** True when a level's parts are all there; undefined when nothing says how many there will be. */
export function isAllThere(parts: readonly InstanceHeader[]): boolean | undefined {
  const { facts } = parts[0]!;
  if (facts.concatenation === '') return true;
  const announced = Math.max(...parts.map(part => part.facts.parts));
  if (announced > 0) return new Set(parts.map(part => part.facts.part)).size >= announced;
  const frames = parts.reduce((sum, part) => sum + part.facts.frames, 0);
  const { planes, paths } = layersOf(parts[0]!);
  return frames >= tilesOf(parts[0]!) * planes * paths ? true : undefined;
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
export function partTableFor(folder: string, levels: readonly ChosenLevel<InstanceHeader>[]): PartTable {
  const instances = levels.flatMap(level => level.instances);
  return PartTable.create(folder, Math.max(...instances.map(({ facts }) => facts.parts)));
}
