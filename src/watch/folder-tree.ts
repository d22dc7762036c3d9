import { type Dirent, promises as fs } from 'node:fs';
import { join } from 'node:path';

/** One file as a look at the folder saw it. */
export interface SeenFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** Tells a rename from a copy. */
  readonly inode: number;
}

/** What one folder holds, as it was listed last. */
interface Listing {
  readonly mtimeMs: number;
  readonly listedAt: number;
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** File systems stamp folders by up to two seconds (FAT, some shares): one that changed this recently is listed again. */
const RECENT_MS = 3000;
/** Every folder is listed again after this time, whatever its time says. */
const RELIST_MS = 60_000;
/** Folders or files asked about at a time. */
const AT_ONCE = 16;

/**
 * The folders below a root, looked at again and again for little: a folder is listed only when its time changed, so that ten
 * thousand files which lie still cost one question. Symbolic links are not followed, so that an entry cannot lead outside;
 * what vanishes meanwhile is passed over.
 */
export class FolderTree {
  readonly #root: string;
  readonly #ignored: (path: string) => boolean;
  readonly #listings = new Map<string, Listing>();

  /** @param ignored is given whole paths, of files and of folders. */
  constructor(root: string, ignored: (path: string) => boolean) {
    this.#root = root;
    this.#ignored = ignored;
  }

  /** Every folder, the root first. */
  get folders(): Iterable<string> {
    return this.#listings.keys();
  }

  /** Paths of the regular files. A root that cannot be read rejects with the system's error. */
  async files(): Promise<string[]> {
    const found: string[] = [];
    const seen = new Set<string>();
    let level = [this.#root];
    while (level.length > 0) {
      const listings = await mapSome(level, folder => this.#list(folder));
      level = listings.flatMap((listing, index) => {
        if (!listing) return [];
        seen.add(level[index]!);
        for (const file of listing.files) found.push(file);
        return listing.folders;
      });
    }
    for (const folder of this.#listings.keys()) if (!seen.has(folder)) this.#listings.delete(folder);
    return found;
  }

  async #list(folder: string): Promise<Listing | undefined> {
    const known = this.#listings.get(folder);
    const now = Date.now();
    try {
      const { mtimeMs } = await fs.stat(folder);
      const isFresh = known && known.mtimeMs === mtimeMs && known.listedAt - mtimeMs > RECENT_MS;
      if (isFresh && now - known.listedAt < RELIST_MS) return known;
      const entries = await fs.readdir(folder, { withFileTypes: true });
      const listing = { mtimeMs, listedAt: now, ...this.#sort(folder, entries) };
      this.#listings.set(folder, listing);
      return listing;
    } catch (error) {
      if (folder === this.#root) throw error;
      return undefined;
    }
  }

  #sort(folder: string, entries: readonly Dirent[]): Pick<Listing, 'files' | 'folders'> {
    const files: string[] = [];
    const folders: string[] = [];
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.') && !this.#ignored(path)) folders.push(path);
      } else if (entry.isFile() && !this.#ignored(path)) files.push(path);
    }
    return { files, folders };
  }
}

/** Facts of files; those that are gone are left out. */
export async function statFiles(paths: readonly string[]): Promise<SeenFile[]> {
  const seen = await mapSome(paths, async path => {
    const stat = await fs.stat(path).catch(() => undefined);
    return stat && { path, size: stat.size, mtimeMs: stat.mtimeMs, inode: stat.ino };
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
