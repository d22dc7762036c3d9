import { type FSWatcher, watch } from 'node:fs';

/**
 * File system events of folders, not of their files: one watch a folder, however many tiles lie in it. Where the system has
 * no more watches to give, or gives no events, the periodic look finds what changed.
 */
export class FolderHints {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #hint: (folder: string, name: string | null) => void;

  constructor(hint: (folder: string, name: string | null) => void) {
    this.#hint = hint;
  }

  /** Watches these folders and no others. */
  follow(folders: Iterable<string>): void {
    const wanted = new Set(folders);
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (_, name) => this.#hint(folder, name));
        watcher.on('error', () => this.#watchers.delete(folder));
        this.#watchers.set(folder, watcher);
      } catch {
        return;
      }
    }
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
