import { BoxResampler } from './resample.js';
import type { TileSource } from './slide.js';
import type { TileCache } from './tile-cache.js';

/** A rectangle to read, in output pixels: output pixel i spans level pixels [i × scale, (i + 1) × scale). */
export interface Region {
  readonly level: number;
  /** Level pixels per output pixel; 1 copies, anything else averages areas. */
  readonly scale: number;
  /** May be negative, and reach beyond the slide: what lies outside is zero. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Size of the slide in output pixels. */
  readonly slideWidth: number;
  readonly slideHeight: number;
  /** Where the next region of the same row or column starts, counted from this one's start: tiles left behind are let go. */
  readonly advance: number;
}

/** Glass: what a slide shows where its file stores no tile. OpenSlide leaves these pixels transparent over white. */
const MISSING = 255;

/** Puts regions together from stored tiles, through a bounded cache of decoded ones. */
export class PatchAssembler {
  readonly #source: TileSource;
  readonly #cache: TileCache;
  readonly #slide: number;
  readonly #resampler = new BoxResampler();

  /**
   * @param cache may be shared by several slides.
   * @param slide number that tells the slides of one cache apart.
   */
  constructor(source: TileSource, cache: TileCache, slide = 0) {
    this.#source = source;
    this.#cache = cache;
    this.#slide = slide;
  }

  /**
   * Reads a region as RGB into `into` (width × height × 3 bytes, rows top down). Outside the slide: 0. Tiles the file
   * does not store: 255.
   *
   * @throws TILE_CORRUPT, SLIDE_UNREADABLE; `into` is then undefined.
   */
  async read(region: Region, into: Uint8Array): Promise<void> {
    if (region.scale === 1) {
      const { level, x, y, width, height, advance } = region;
      await this.#copy(level, x, y, width, height, advance, into);
      return;
    }
    const geometry = this.#source.levels[region.level]!;
    await this.#resampler.run(region, geometry.width, geometry.height, into, (x, y, width, height, band) =>
      this.#copy(region.level, x, y, width, height, Math.floor(region.advance * region.scale), band),
    );
  }

  /** Copies level pixels 1:1; a window over the edge is zero there. */
  async #copy(
    level: number,
    x: number,
    y: number,
    width: number,
    height: number,
    advance: number,
    into: Uint8Array,
  ): Promise<void> {
    const geometry = this.#source.levels[level]!;
    const { tileWidth, tileHeight } = geometry;
    const left = Math.max(0, x);
    const top = Math.max(0, y);
    const right = Math.min(geometry.width, x + width);
    const bottom = Math.min(geometry.height, y + height);
    if (left > x || top > y || right < x + width || bottom < y + height) into.fill(0, 0, width * height * 3);
    if (right <= left || bottom <= top) return;
    const cols = Math.ceil(geometry.width / tileWidth);
    for (let row = Math.floor(top / tileHeight); row * tileHeight < bottom; row++) {
      for (let col = Math.floor(left / tileWidth); col * tileWidth < right; col++) {
        const key = tileKey(this.#slide, level, row * cols + col);
        const cached = this.#cache.get(key)?.pixels;
        const pixels = cached ?? (await this.#load(key, level, col, row, tileWidth * tileHeight * 3));
        const x0 = Math.max(left, col * tileWidth);
        const x1 = Math.min(right, (col + 1) * tileWidth);
        const y0 = Math.max(top, row * tileHeight);
        const y1 = Math.min(bottom, (row + 1) * tileHeight);
        const bytes = (x1 - x0) * 3;
        let to = ((y0 - y) * width + x0 - x) * 3;
        if (pixels) {
          let from = ((y0 - row * tileHeight) * tileWidth + x0 - col * tileWidth) * 3;
          for (let line = y0; line < y1; line++, from += tileWidth * 3, to += width * 3)
            into.set(pixels.subarray(from, from + bytes), to);
        } else for (let line = y0; line < y1; line++, to += width * 3) into.fill(MISSING, to, to + bytes);
        if ((col + 1) * tileWidth <= x + advance && (row + 1) * tileHeight <= y + advance) this.#cache.spend(key);
      }
    }
  }

  async #load(key: number, level: number, col: number, row: number, bytes: number): Promise<Uint8Array | undefined> {
    const buffer = this.#cache.take(bytes);
    try {
      const reading = this.#source.readTile(level, col, row, buffer);
      const state = typeof reading === 'string' ? reading : await reading;
      if (state === 'decoded') {
        this.#cache.put({ key, pixels: buffer });
        return buffer;
      }
    } catch (error) {
      this.#cache.release(buffer);
      throw error;
    }
    this.#cache.release(buffer);
    return undefined;
  }
}

/** Slide (15 bits), level (6 bits) and tile (32 bits) in one exact integer. */
function tileKey(slide: number, level: number, tile: number): number {
  return ((slide % 2 ** 15) * 64 + level) * 2 ** 32 + tile;
}
