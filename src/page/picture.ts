import { type Slide, slideUrl } from './api.js';
import type { OsdTile, OsdViewer } from './osd.js';
import type { PatchGrid } from './patch-grid.js';

/** Shortest time between two looks at what has become of the tiles in view. */
const REFRESH_MS = 250;

/** Level sizes and addresses, as the server has them: no level is asked for that it does not offer. */
export function pictureSource({ slide, shape, picture }: Slide): object {
  const { width, height } = shape!;
  const tile = picture?.tile ?? 512;
  // Where there is no picture, as many as one would have: of a large slide in one level OpenSeadragon looks at each of a hundred thousand places at every frame.
  const levels = picture?.levels ?? Math.max(1, Math.ceil(Math.log2(Math.max(width, height) / tile)) + 1);
  const finest = levels - 1;
  return {
    // Without any overlap OpenSeadragon draws each tile a pixel larger, so that the picture slips below the mask.
    ...{ width, height, tileSize: tile, tileOverlap: 1e-6, minLevel: 0, maxLevel: finest },
    // OpenSeadragon counts levels from the coarsest.
    getLevelScale: (level: number) => 1 / 2 ** (finest - level),
    getTileUrl: (level: number, col: number, row: number) =>
      new URL(slideUrl(slide, `/tiles/${finest - level}/${col}/${row}`), location.href).href,
    tileExists: (level: number, col: number, row: number) =>
      picture !== null &&
      level >= 0 &&
      level <= finest &&
      col * tile * 2 ** (finest - level) < width &&
      row * tile * 2 ** (finest - level) < height,
  };
}

/**
 * Brings the picture up to what was scanned. OpenSeadragon never fetches a tile again, but lets whoever listens put other data in
 * place of what a tile was loaded with: tiles in view whose patches have changed get what the server has now.
 */
export class LivePicture {
  readonly #viewer: OsdViewer;
  readonly #patches: PatchGrid;
  readonly #slide: Slide;
  /** Change of the patches up to which a tile is true. */
  readonly #loaded = new Map<string, number>();
  #waiting = false;
  #again = false;

  constructor(viewer: OsdViewer, patches: PatchGrid, slide: Slide) {
    this.#viewer = viewer;
    this.#patches = patches;
    this.#slide = slide;
    viewer.addHandler('tile-loaded', ({ tile }) => void this.#loaded.set(keyOf(tile), patches.changes));
    viewer.addHandler('animation-finish', () => this.changed());
    viewer.addHandler('tile-invalidated', async event => {
      const { tile } = event;
      if (!this.#isStale(tile)) return;
      const since = patches.changes;
      const answer = await fetch(tile.getUrl());
      if (!answer.ok) return;
      await event.setData(await answer.blob(), 'rasterBlob');
      this.#loaded.set(keyOf(tile), since);
    });
  }

  /** Patches have changed, or others are in view. */
  changed(): void {
    if (!this.#slide.picture) return;
    if (this.#waiting) {
      this.#again = true;
      return;
    }
    this.#waiting = true;
    this.#again = false;
    setTimeout(async () => {
      // False: what was not fetched anew stays as it is.
      await this.#viewer.world?.getItemAt(0)?.requestInvalidate(false, true);
      this.#waiting = false;
      if (this.#again) this.changed();
    }, REFRESH_MS);
  }

  #isStale(tile: OsdTile): boolean {
    const since = this.#loaded.get(keyOf(tile));
    if (since === undefined || since >= this.#patches.changes) return false;
    const { tile: side, levels } = this.#slide.picture!;
    const span = side * 2 ** (levels - 1 - tile.level);
    return this.#patches.changedSince(since, tile.x * span, tile.y * span, span, span);
  }
}

const keyOf = ({ level, x, y }: OsdTile): string => `${level}/${x}/${y}`;
