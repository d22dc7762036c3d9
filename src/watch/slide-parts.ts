import { dirname } from 'node:path';
import type { SeenFile } from './folder-tree.js';
import { isDicomName } from './names.js';

/**
 * Says which slide a file is part of, where a slide is several files of one kind: its path, by which it is opened; null for
 * a file that belongs to none; undefined for one of which nothing is known (yet).
 */
export interface SlideParts {
  /** True for files of the kind that slides are made of; may look at one that is new. */
  isPart(path: string): boolean;
  /** Without looking at the file. */
  known(path: string): string | null | undefined;
  /** Looks at a file that is new or has changed. */
  slideOf(file: SeenFile): string | null | undefined;
  /** Forgets the files that are gone. */
  keep(paths: ReadonlySet<string>): void;
}

/** All files of a folder are one slide, called by the folder. */
export const partsByFolder: SlideParts = {
  isPart: isDicomName,
  known: dirname,
  slideOf: ({ path }) => dirname(path),
  keep: () => undefined,
};
