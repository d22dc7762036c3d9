import { basename, dirname } from 'node:path';
import { PARAMETERS } from '../slide/fields/parameters.js';
import { splitRegion } from '../slide/tile-folder/find-tiles.js';
import { isTileManifest } from '../slide/tile-folder/read-tile-set.js';
import type { SeenFile } from './folder-tree.js';
import { isSlideName, isTemporaryName } from './names.js';
import { partsByFolder, type SlideParts } from './slide-parts.js';

/** A file that may be a slide. */
export interface Candidate {
  seen: SeenFile;
  /** The file that it is, or that describes it; undefined where it is many. */
  readonly file: string | undefined;
  /** performance.now() of the look that found it, or found it changed. */
  changedAt: number;
  /** performance.now() of the last look that found it as it was then. */
  seenAt: number;
  /** Looks at the folder that found it unchanged. */
  quietLooks: number;
  readonly renamed: boolean;
  /** What its opener wants to remember until it changes. */
  notes: Notes;
  /** It was handed on or given up: nothing is tried until it changes. */
  settled: boolean;
  /** Folder that holds its tiles: what lies below is no slide of its own. */
  claims?: string | undefined;
  /** Somebody follows its growth: what changes meanwhile is theirs to see. */
  busy: boolean;
  /** performance.now() before which it is not tried again. */
  notBefore?: number;
  /** performance.now() since which its share has answered with errors. */
  failingSince: number | undefined;
  /** Paths of the slides that it describes, candidates of their own: they change when it does. */
  parts?: readonly string[];
}

/** What an opener wants to remember of a file until it changes. */
export type Notes = Record<string, unknown>;

/** Settled files asked about in one look, in turn: a folder may hold thousands of slides. */
const SETTLED_A_LOOK = 200;

/** What is known of the files of a folder from look to look. */
export class Candidates {
  readonly #known = new Map<string, Candidate>();
  /** Files under temporary names: one that turns up under a slide's name was renamed into place. */
  #temporary = new Set<string>();
  #turn = 0;
  /** Settled files that may be asked about; below 0 after a slide of many. */
  #allowance = 0;
  readonly #parts: SlideParts;

  /** @param parts of DICOM slides. */
  constructor(parts: SlideParts = partsByFolder) {
    this.#parts = parts;
  }

  /** Of all files, those whose facts a look needs. */
  toStat(files: readonly string[]): string[] {
    const wanted: string[] = [];
    const settled: string[][] = [];
    for (const [slide, parts] of this.#slidesOf(files)) {
      const known = this.#known.get(slide);
      // What is followed in many files is asked about by its follower.
      if (known?.busy && parts.length > 1) continue;
      if (this.#isSettled(slide)) settled.push(parts);
      else for (const part of parts) wanted.push(part);
    }
    // A slide in a thousand files is asked about once in several looks.
    this.#allowance = Math.min(SETTLED_A_LOOK, this.#allowance + SETTLED_A_LOOK);
    for (let i = 0; i < settled.length && this.#allowance > 0; i++) {
      const parts = settled[this.#turn++ % settled.length]!;
      for (const part of parts) wanted.push(part);
      this.#allowance -= parts.length;
    }
    return wanted;
  }

  #isSettled(path: string): boolean {
    const { settled, parts = [] } = this.#known.get(path) ?? { settled: false };
    return settled && parts.every(part => this.#known.get(part)?.settled);
  }

  /** Files by the slide that they are, or are part of; temporary ones by themselves. */
  #slidesOf(files: readonly string[]): Map<string, string[]> {
    const slides = new Map<string, string[]>();
    const claimed = this.#claimed();
    // An acquisition's fields may come long before the table that says so.
    for (const path of files) if (basename(path) === PARAMETERS) claimed.add(dirname(path));
    for (const path of files) {
      if (this.#parts.isPart(path)) {
        const slide = this.#parts.known(path) ?? path;
        const parts = slides.get(slide);
        if (parts) parts.push(path);
        else slides.set(slide, [path]);
        continue;
      }
      if (!isSlideName(path) && !isTemporaryName(path)) continue;
      // The tiles of a slide may be TIFFs: they are no slides of their own.
      if (!isTileManifest(path) && isBelow(dirname(path), claimed)) continue;
      slides.set(path, [path]);
    }
    return slides;
  }

  /** Folders that belong to a slide. */
  #claimed(): Set<string | undefined> {
    return new Set([...this.#known.values()].map(({ claims }) => claims));
  }

  /** @param files all there are; @param seen the facts of those that were asked about. */
  notice(files: readonly string[], seen: readonly SeenFile[]): void {
    const paths = new Set(files);
    this.#parts.keep(paths);
    const slides = this.#slidesSeen(seen);
    for (const path of files) {
      if (!this.#parts.isPart(path)) continue;
      const slide = this.#parts.known(path);
      if (slide === undefined) continue;
      // It was a file by itself until its slide was known.
      if (slide !== path) paths.delete(path);
      if (slide !== null) paths.add(slide);
    }
    for (const [path, { parts = [] }] of this.#known) if (paths.has(path)) for (const part of parts) paths.add(part);
    // What somebody works on is not begun again before that has ended, whatever takes its name.
    for (const [path, { busy }] of this.#known) if (!busy && !paths.has(path)) this.#known.delete(path);
    for (const file of seen)
      if (isSlideName(file.path))
        for (const path of [...(this.#known.get(file.path)?.parts ?? []), file.path])
          this.#see({ ...file, path }, file.path);
    for (const file of slides) this.#see(file, undefined);
    const temporary = seen.filter(({ path }) => isTemporaryName(path));
    this.#temporary = new Set(temporary.map(fileKey));
  }

  /** Slides that somebody works on. */
  get followed(): number {
    let followed = 0;
    for (const { busy } of this.#known.values()) if (busy) followed += 1;
    return followed;
  }

  /** Nobody saw them for a while: what seemed to stand still may not have. */
  lookAnew(): void {
    for (const candidate of this.#known.values())
      if (!candidate.settled && !candidate.busy) Object.assign(candidate, startedOver());
  }

  /** What was handed on is tried again, as soon as nobody works on it: false until then. */
  revisit(path: string): boolean {
    const known = this.#known.get(path);
    if (known?.busy) return false;
    if (known) Object.assign(known, startedOver(), { settled: false });
    return true;
  }

  /** Those that may be tried. */
  *open(): Generator<Candidate> {
    const now = performance.now();
    const due = ({ settled, busy, notBefore = now }: Candidate): boolean => !settled && !busy && notBefore <= now;
    // What describes a folder comes first, so that what belongs to it is not tried by itself.
    for (const candidate of this.#known.values())
      if (due(candidate) && isDescription(candidate.seen.path)) yield candidate;
    const claimed = this.#claimed();
    for (const candidate of this.#known.values()) {
      const { path } = candidate.seen;
      if (due(candidate) && !isDescription(path) && !isBelow(dirname(path), claimed)) yield candidate;
    }
  }

  /** A file turned out to describe several slides. Those that are known already go on as they are. */
  divide(candidate: Candidate, parts: readonly string[]): void {
    candidate.parts = parts;
    for (const path of parts) if (!this.#known.has(path)) this.#see({ ...candidate.seen, path }, candidate.file);
  }

  isBusy(path: string): boolean {
    const slide = this.#parts.isPart(path) ? this.#parts.known(path) : path;
    return this.#known.get(slide ?? path)?.busy ?? false;
  }

  /** The DICOM files of each slide as one: whichever of them changes, it does. */
  #slidesSeen(seen: readonly SeenFile[]): Iterable<SeenFile> {
    const slides = new Map<string, SeenFile>();
    // The oldest first, so that it is the same one that names the folder after a restart.
    const files = seen.filter(({ path }) => this.#parts.isPart(path)).toSorted((a, b) => a.mtimeMs - b.mtimeMs);
    for (const file of files) {
      const slide = this.#parts.slideOf(file);
      if (slide === null) continue;
      const path = slide ?? file.path;
      const all = slides.get(path) ?? { path, size: 0, mtimeMs: 0, ctimeMs: 0, inode: 0, birthMs: 0 };
      const mtimeMs = Math.max(all.mtimeMs, file.mtimeMs);
      const ctimeMs = all.ctimeMs + file.ctimeMs;
      slides.set(path, { ...all, size: all.size + file.size, mtimeMs, ctimeMs, inode: all.inode + file.inode });
    }
    return slides.values();
  }

  /** @param file the one that it is, unless it is many. */
  #see(seen: SeenFile, file: string | undefined): void {
    const known = this.#known.get(seen.path);
    const now = performance.now();
    if (known && isSame(known.seen, seen)) {
      known.quietLooks += 1;
      known.seenAt = now;
    } else if (known?.busy) {
      // Whoever works on it sees the change, and ends with it.
      Object.assign(known, { seen, changedAt: now, seenAt: now });
    } else {
      const renamed = this.#temporary.has(fileKey(seen));
      // Until it was read again: a description that is being written must not make slides of its tiles.
      const { parts, claims } = known ?? {};
      const kept = { ...(parts && { parts }), ...(claims && { claims }) };
      const fresh = { seen, file, ...startedOver(), renamed, settled: false, busy: false, ...kept };
      this.#known.set(seen.path, fresh);
    }
  }
}

/** A candidate of which nothing is known but that it is there. */
export function startedOver(): Pick<Candidate, 'changedAt' | 'seenAt' | 'quietLooks' | 'notes' | 'failingSince'> {
  const now = performance.now();
  return { changedAt: now, seenAt: now, quietLooks: 0, notes: {}, failingSince: undefined };
}

const isDescription = (path: string): boolean => isTileManifest(splitRegion(path).manifest);

function isBelow(folder: string, tops: ReadonlySet<string | undefined>): boolean {
  for (let at = folder; at !== dirname(at); at = dirname(at)) if (tops.has(at)) return true;
  return false;
}

const isSame = (a: SeenFile, b: SeenFile): boolean =>
  a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.inode === b.inode;

/** The same before and after a rename. Inodes are given to new files as soon as they are free. */
const fileKey = ({ inode, birthMs }: SeenFile): string => `${inode} ${birthMs}`;
