import { statSync } from 'node:fs';

/** Tells by their times whether something came or went in folders; those that are not there yet count when they come. */
export class FolderTimes {
  readonly #folders: readonly string[];
  #times: string | undefined;

  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** Since this was asked last; true when it is asked first. */
  haveChanged(): boolean {
    const times = this.#folders.map(folder => statSync(folder, { throwIfNoEntry: false })?.mtimeMs).join(' ');
    const changed = times !== this.#times;
    this.#times = times;
    return changed;
  }
}
