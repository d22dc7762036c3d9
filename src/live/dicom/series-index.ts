import { basename, dirname, join } from 'node:path';
import { readHead } from '../../slide/dicom/instance.js';
import type { SeenFile } from '../../watch/folder-tree.js';
import type { SlideParts } from '../../watch/slide-parts.js';
import { Preambles } from './preambles.js';
import { SeriesFiles, seriesTag } from './series-files.js';

/** What is known of one file. */
interface KnownFile {
  readonly stamp: string;
  /** The slide it is part of; null: none. */
  readonly slide: string | null;
}

/**
 * Tells the DICOM files of a watched folder apart by their series: each is a slide. The first one of a folder is called by
 * the folder, a further one `<folder>/series-<hash>`; so is each one that lies in the watched folder itself, which is no
 * slide's name. Labels, overviews and other kinds of objects are part of none.
 */
export class SeriesIndex implements SlideParts {
  readonly #root: string;
  readonly #preambles = new Preambles();
  readonly #files = new Map<string, KnownFile>();
  readonly #slides = new Map<string, SeriesFiles>();
  /** By folder and series. */
  readonly #paths = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
  }

  isPart(path: string): boolean {
    return this.#preambles.isDicom(path);
  }

  known(path: string): string | null | undefined {
    return this.#files.get(path)?.slide;
  }

  slideOf({ path, size, mtimeMs, ctimeMs, inode }: SeenFile): string | null | undefined {
    const stamp = `${inode} ${size} ${mtimeMs} ${ctimeMs}`;
    const known = this.#files.get(path);
    if (known?.stamp === stamp) return known.slide;
    try {
      const { series, isSlide } = readHead(path);
      // A file keeps its slide while it is written: its head is there first.
      const slide = isSlide ? this.#pathOf(dirname(path), series) : null;
      this.#files.set(path, { stamp, slide });
      if (slide !== null) this.#slides.get(slide)?.expect(basename(path));
      return slide;
    } catch {
      // Its head is not there, or it is no DICOM file: whoever opens it says so.
      this.#files.delete(path);
      return undefined;
    }
  }

  keep(paths: ReadonlySet<string>): void {
    this.#preambles.keep(paths);
    const left = new Set<string | null>();
    for (const [path, { slide }] of this.#files) {
      if (paths.has(path)) left.add(slide);
      else this.#files.delete(path);
    }
    for (const [key, slide] of this.#paths) {
      if (left.has(slide)) continue;
      this.#paths.delete(key);
      this.#slides.delete(slide);
    }
  }

  /** The files of the slide with this path. */
  find(slide: string): SeriesFiles | undefined {
    return this.#slides.get(slide);
  }

  #pathOf(folder: string, series: string): string {
    const key = `${folder}\n${series}`;
    const known = this.#paths.get(key);
    if (known !== undefined) return known;
    const isTaken = folder === this.#root || this.#slides.has(folder);
    const path = isTaken ? join(folder, `series-${seriesTag(series)}`) : folder;
    this.#paths.set(key, path);
    this.#slides.set(path, new SeriesFiles(folder, path, series, this));
    return path;
  }
}
