import { dirname } from 'node:path';
import { isTileManifest } from '../live/tile-folder/read-tile-set.js';
import type { SeenFile } from './folder-tree.js';
import { isSlideName, isTemporaryName } from './names.js';

/** A file that may be a slide. */
export interface Candidate {
  seen: SeenFile;
  /** performance.now() of the last change. */
  changedAt: number;
  /** Looks at the folder that found it unchanged. */
  quietLooks: number;
  readonly renamed: boolean;
  /** It was handed on or given up: nothing is tried until it changes. */
  settled: boolean;
  /** Folder that holds its tiles: what lies below is no slide of its own. */
  claims?: string;
  /** Somebody follows its growth: what changes meanwhile is theirs to see. */
  busy: boolean;
}

/** Settled files asked about in one look, in turn: a folder may hold thousands of slides. */
const SETTLED_A_LOOK = 200;

/** What is known of the files of a folder from look to look. */
export class Candidates {
  readonly #known = new Map<string, Candidate>();
  /** Inodes of files under temporary names: one that turns up under a slide's name was renamed into place. */
  #temporary = new Set<number>();
  #turn = 0;

  /** Of all files, those whose facts a look needs. */
  toStat(files: readonly string[]): string[] {
    const settled: string[] = [];
    const wanted: string[] = [];
    const tileFolders = new Set([...this.#known.values()].map(({ claims }) => claims));
    for (const path of files) {
      if (!isSlideName(path) && !isTemporaryName(path)) continue;
      // The tiles of a slide may be TIFFs: they are no slides of their own.
      if (!isTileManifest(path) && isBelow(dirname(path), tileFolders)) continue;
      (this.#known.get(path)?.settled ? settled : wanted).push(path);
    }
    for (let i = 0; i < Math.min(SETTLED_A_LOOK, settled.length); i++)
      wanted.push(settled[this.#turn++ % settled.length]!);
    return wanted;
  }

  /** @param files all there are; @param seen the facts of those that were asked about. */
  notice(files: readonly string[], seen: readonly SeenFile[]): void {
    const paths = new Set(files);
    for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
    for (const file of seen) if (isSlideName(file.path)) this.#see(file);
    const temporary = seen.filter(({ path }) => isTemporaryName(path));
    this.#temporary = new Set(temporary.map(({ inode }) => inode));
  }

  /** Those that may be tried. */
  *open(): Generator<Candidate> {
    for (const candidate of this.#known.values()) if (!candidate.settled && !candidate.busy) yield candidate;
  }

  isBusy(path: string): boolean {
    return this.#known.get(path)?.busy ?? false;
  }

  #see(seen: SeenFile): void {
    const known = this.#known.get(seen.path);
    if (known && isSame(known.seen, seen)) known.quietLooks += 1;
    else if (known?.busy && known.seen.inode === seen.inode) {
      known.seen = seen;
      known.changedAt = performance.now();
    } else {
      const renamed = this.#temporary.has(seen.inode);
      const fresh = { seen, changedAt: performance.now(), quietLooks: 0, renamed, settled: false, busy: false };
      this.#known.set(seen.path, fresh);
    }
  }
}

function isBelow(folder: string, tops: ReadonlySet<string | undefined>): boolean {
  for (let at = folder; at !== dirname(at); at = dirname(at)) if (tops.has(at)) return true;
  return false;
}

const isSame = (a: SeenFile, b: SeenFile): boolean =>
  a.size === b.size && a.mtimeMs === b.mtimeMs && a.inode === b.inode;
