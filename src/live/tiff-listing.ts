import { closeSync, fstatSync, openSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { recogniseTiff } from '../slide/tiff/format.js';
import { readPages, readTileArrays, type TiffPage } from '../slide/tiff/page.js';
import { probeTiff, type TiffProbe, unreadable } from '../slide/tiff/probe.js';
import type { FittedLevel } from '../slide/tiff/pyramid.js';

/** Where a directory says a level's tiles lie, at one moment. */
export interface Listing {
  readonly stats: Stats;
  /** 0 where a tile has not been written. */
  readonly offsets: Float64Array;
  readonly byteCounts: Float64Array;
}

/** What tells a level from the others of its file. */
export type LevelSize = Pick<TiffPage, 'width' | 'height' | 'tileWidth' | 'tileHeight'>;

const isSame = ({ page, width, height }: FittedLevel, level: LevelSize): boolean =>
  width === level.width &&
  height === level.height &&
  page.tileWidth === level.tileWidth &&
  page.tileHeight === level.tileHeight;

/**
 * Reads one level's tile arrays over and over while a scanner changes them. The directory is parsed again only when it
 * moved or grew; everything is read twice and must be equal, so that a directory which is being written is never used.
 */
export class TiffListing {
  readonly #path: string;
  readonly #level: LevelSize;
  readonly #scene: number | undefined;
  #parsed: { readonly directories: string; readonly page: TiffPage; readonly inChain: boolean } | undefined;

  /**
   * @param level found by its size, because levels before it may still be to come.
   * @param scene its number, of several.
   */
  constructor(path: string, level: LevelSize, scene?: number) {
    this.#path = path;
    this.#level = level;
    this.#scene = scene;
  }

  /**
   * Calls `use` with the listing and a descriptor of the file, which is opened anew each time: over a network that makes the
   * client ask the server what changed.
   *
   * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED while the directory cannot be read; the system's error when the file is gone.
   */
  async read<T>(use: (listing: Listing, fd: number) => T | Promise<T>): Promise<T> {
    const fd = openSync(this.#path, 'r');
    try {
      const stats = fstatSync(fd);
      const probe = probeTiff(fd, this.#path, stats.size);
      const page = this.#page(probe);
      const listed = readTileArrays(probe, page);
      const again = readTileArrays(probe, page);
      const torn = !same(listed.offsets, again.offsets) || !same(listed.byteCounts, again.byteCounts);
      if (torn || describe(probeTiff(fd, this.#path, stats.size)) !== describe(probe))
        throw unreadable(this.#path, 'its directory is being written');
      return await use({ stats, ...listed }, fd);
    } finally {
      closeSync(fd);
    }
  }

  #page(probe: TiffProbe): TiffPage {
    const directories = describe(probe);
    // Of a SubIFD only its parent is in the chain, so whether it moved is seen by parsing it.
    if (this.#parsed?.directories === directories && this.#parsed.inChain) return this.#parsed.page;
    const format = recogniseTiff(readPages(probe), { fileName: basename(this.#path), scene: this.#scene });
    const page = format?.levels.find(found => isSame(found, this.#level))?.page;
    if (!page) throw unreadable(this.#path, 'its directory no longer lists the level');
    const inChain = probe.directories.some(({ offset }) => offset === page.directory.offset);
    this.#parsed = { directories, page, inChain };
    return page;
  }
}

const describe = ({ directories }: TiffProbe): string =>
  JSON.stringify(directories.map(({ offset, entries }) => [offset, ...entries].flat()));

const same = (a: Float64Array, b: Float64Array): boolean =>
  Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;
