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

/**
 * Looks at every regular file below `root`. Entries that vanish meanwhile are passed over; symbolic links are not
 * followed, so that an entry cannot lead outside. A root that cannot be read rejects with the system's error.
 */
export async function scanFolder(root: string, wanted: (path: string) => boolean): Promise<SeenFile[]> {
  const seen: SeenFile[] = [];
  const visit = async (folder: string, entries: readonly Dirent[]): Promise<void> => {
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.'))
          await visit(path, await fs.readdir(path, { withFileTypes: true }).catch(() => []));
      } else if (entry.isFile() && wanted(path)) {
        const stat = await fs.stat(path).catch(() => undefined);
        if (stat) seen.push({ path, size: stat.size, mtimeMs: stat.mtimeMs, inode: stat.ino });
      }
    }
  };
  await visit(root, await fs.readdir(root, { withFileTypes: true }));
  return seen;
}
