import { type Stats, statSync } from 'node:fs';

/** Tells by their times and sizes whether something came or went in folders, or was written to files; those that are not there yet count when they come. */
export class FolderTimes {
  readonly #paths: () => readonly string[];
  #times: string | undefined;

  /** @param paths of folders or files; asked each time, where they are given by a function. */
  constructor(paths: readonly string[] | (() => readonly string[])) {
    this.#paths = typeof paths === 'function' ? paths : () => paths;
  }

  /** Since this was asked last; true when it is asked first. */
  haveChanged(): boolean {
    const times = this.#paths()
      .map(path => stampOf(statSync(path, { throwIfNoEntry: false })))
      .join(' ');
    const changed = times !== this.#times;
    this.#times = times;
    return changed;
  }
}

const stampOf = (stats: Stats | undefined): string => (stats ? `${stats.mtimeMs}/${stats.size}` : '');
