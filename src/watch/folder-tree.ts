import { type Dirent, promises as fs, type Stats } from 'node:fs';
import { join } from 'node:path';
import { isAbsence, reasonOf } from './absence.js';

/** One file as a look at the folder saw it. */
export interface SeenFile {
  readonly path: string;
  readonly size: number;
  /** Its times are compared, never believed: whoever writes a file may set them, and a share has a clock of its own. */
  readonly mtimeMs: number;
  /** Of the last change of anything, where the file system keeps it: it changes too when the other time is set back. */
  readonly ctimeMs: number;
  readonly inode: number;
  /** Tells a file from a later one with its inode; 0 where the file system keeps no such time. */
  readonly birthMs: number;
}

export const seenFile = (path: string, { size, mtimeMs, ctimeMs, ino, birthtimeMs }: Stats): SeenFile => ({
  path,
  size,
  mtimeMs,
  ctimeMs,
  inode: ino,
  birthMs: birthtimeMs,
});

/** What one folder holds, as it was listed last. */
interface Listing {
  readonly mtimeMs: number;
  /** performance.now() when the folder was first seen with this time. */
  readonly since: number;
  /** performance.now() when it was listed. */
  readonly listedAt: number;
  readonly dev: number;
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** File systems stamp folders by up to two seconds (FAT, some shares): one that was seen to change this recently is listed again. */
const RECENT_MS = 3000;
/** Every folder is listed again after this time, whatever its time says. */
const RELIST_MS = 60_000;
/** Folders or files asked about at a time. */
const AT_ONCE = 16;

/**
 * The folders below a root, looked at again and again for little: a folder is listed only when its time changed, so that ten
 * thousand files which lie still cost one question. Symbolic links are not followed, so that an entry cannot lead outside;
 * what vanishes meanwhile is passed over. A folder that cannot be asked, or from which a share was unmounted, is no folder that
 * was emptied: it keeps what it held.
 */
export class FolderTree {
  readonly #root: string;
  readonly #ignored: (path: string) => boolean;
  readonly #listings = new Map<string, Listing>();
  #away = new Map<string, string>();
  #rootFacts: Stats | undefined;

  /** @param ignored is given whole paths, of files and of folders. */
  constructor(root: string, ignored: (path: string) => boolean) {
    this.#root = root;
    this.#ignored = ignored;
  }

  /** Every folder, the root first. */
  get folders(): Iterable<string> {
    return this.#listings.keys();
  }

  /** Folders below the root that were there and cannot be looked into now, and why. */
  get away(): ReadonlyMap<string, string> {
    return this.#away;
  }

  /** The root as it was right before it was listed last. */
  get rootFacts(): Stats | undefined {
    return this.#rootFacts;
  }

  /** Device of a folder when it was listed last. */
  deviceOf(folder: string): number | undefined {
    return this.#listings.get(folder)?.dev;
  }

  /** Paths of the regular files, those of a folder by name. A root that cannot be read rejects with the system's error. */
  async files(): Promise<string[]> {
    const found: string[] = [];
    const seen = new Set<string>();
    const away = new Map<string, string>();
    let level = [this.#root];
    while (level.length > 0) {
      const listings = await mapSome(level, folder => this.#list(folder, away));
      level = listings.flatMap((listing, index) => {
        if (!listing) return [];
        seen.add(level[index]!);
        for (const file of listing.files) found.push(file);
        return away.has(level[index]!) ? [] : listing.folders;
      });
    }
    for (const [folder, listing] of this.#listings) {
      if (!isBelowAny(folder, away)) continue;
      seen.add(folder);
      for (const file of listing.files) found.push(file);
    }
    for (const folder of this.#listings.keys()) if (!seen.has(folder)) this.#listings.delete(folder);
    this.#away = away;
    return found;
  }

  async #list(folder: string, away: Map<string, string>): Promise<Listing | undefined> {
    const known = this.#listings.get(folder);
    try {
      const facts = await fs.stat(folder);
      if (folder === this.#root) this.#rootFacts = facts;
      const { mtimeMs, dev } = facts;
      const now = performance.now();
      const isSame = known?.mtimeMs === mtimeMs && known.dev === dev;
      if (isSame && known.listedAt - known.since > RECENT_MS && now - known.listedAt < RELIST_MS) return known;
      const since = isSame ? known.since : now;
      const entries = await fs.readdir(folder, { withFileTypes: true });
      if (known && entries.length === 0 && (await this.#isUnmounted(folder, known, dev))) {
        away.set(folder, `${folder}: is not mounted`);
        return known;
      }
      const listing = { mtimeMs, since, listedAt: now, dev, ...this.#sort(folder, entries) };
      this.#listings.set(folder, listing);
      return listing;
    } catch (error) {
      if (folder === this.#root) throw error;
      if (isAbsence(error) || !known) return undefined;
      away.set(folder, reasonOf(folder, error));
      return known;
    }
  }

  /** It lay on a device of its own, and lies on that of the folder above now. */
  async #isUnmounted(folder: string, known: Listing, dev: number): Promise<boolean> {
    return folder !== this.#root && known.dev !== dev && dev === (await fs.stat(join(folder, '..'))).dev;
  }

  #sort(folder: string, entries: readonly Dirent[]): Pick<Listing, 'files' | 'folders'> {
    const files: string[] = [];
    const folders: string[] = [];
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.') && !this.#ignored(path)) folders.push(path);
      } else if (entry.isFile() && !this.#ignored(path)) files.push(path);
    }
    return { files, folders };
  }
}

/** True for what lies below one of some folders. */
export function isBelowAny(path: string, folders: { keys(): Iterable<string> }): boolean {
  for (const folder of folders.keys()) if (path.startsWith(`${folder}/`)) return true;
  return false;
}

/** Facts of files; those that are gone, or cannot be asked, are left out. */
export async function statFiles(paths: readonly string[]): Promise<SeenFile[]> {
  const seen = await mapSome(paths, async path => {
    const stat = await fs.stat(path).catch(() => undefined);
    return stat && seenFile(path, stat);
  });
  return seen.filter(file => file !== undefined);
}

async function mapSome<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await map(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work));
  return results;
}
