import type { PixelMemory } from './pixel-memory.js';
import { BoxResampler } from './resample.js';
import type { LevelGeometry, TileSource } from './slide.js';
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
  /** Top of the regions in the next row, in output pixels: tiles that end above it will not be needed again soon. */
  readonly nextTop: number;
}

/** Glass: what a slide shows where its file stores no tile. OpenSlide leaves these pixels transparent over white. */
const MISSING = 255;

/** Puts regions together from stored tiles, through a bounded cache of decoded ones. */
export class PatchAssembler {
  readonly #source: TileSource;
  readonly #memory: PixelMemory;
  readonly #cache: TileCache;
  readonly #slide: number;
  readonly #resampler: BoxResampler;

  /**
   * @param cache in the same memory; may be shared by several slides.
   * @param slide number that tells the slides of one cache apart.
   */
  constructor(source: TileSource, memory: PixelMemory, cache: TileCache, slide = 0) {
    this.#source = source;
    this.#memory = memory;
    this.#cache = cache;
    this.#slide = slide;
    this.#resampler = new BoxResampler(memory);
  }

  /**
   * Reads a region as RGB to address `into` of the memory (width × height × 3 bytes, rows top down). Outside the slide: 0.
   * Tiles the file does not store: 255. May invalidate views of the memory.
   *
   * @throws TILE_CORRUPT, SLIDE_UNREADABLE; the memory at `into` is then undefined.
   */
  async read(region: Region, into: number): Promise<void> {
    const { level, scale, x, y, width, height } = region;
    const nextTop = Math.floor(region.nextTop * scale);
    const geometry = this.#source.levels[level]!;
    this.#cache.prepare(geometry.tileWidth * geometry.tileHeight * 3);
    if (scale === 1) await this.#copy(geometry, level, x, y, width, height, nextTop, into);
    else
      await this.#resampler.run(region, geometry.width, geometry.height, into, (left, top, across, down, band) =>
        this.#copy(geometry, level, left, top, across, down, nextTop, band),
      );
  }

  /** Lets go of this slide's tiles. */
  close(): void {
    this.#cache.forget(tileKey(this.#slide, 0, 0), tileKey(this.#slide, 64, 0));
    this.#source.close();
  }

  /** Copies level pixels 1:1; a window over the edge is zero there. */
  async #copy(
    geometry: LevelGeometry,
    level: number,
    x: number,
    y: number,
    width: number,
    height: number,
    nextTop: number,
    into: number,
  ): Promise<void> {
    const { kernels } = this.#memory;
    const { tileWidth, tileHeight } = geometry;
    const stride = width * 3;
    const left = Math.max(0, x);
    const top = Math.max(0, y);
    const right = Math.min(geometry.width, x + width);
    const bottom = Math.min(geometry.height, y + height);
    if (left > x || top > y || right < x + width || bottom < y + height) kernels.fill(into, stride, stride, height, 0);
    if (right <= left || bottom <= top) return;
    const cols = Math.ceil(geometry.width / tileWidth);
    for (let row = Math.floor(top / tileHeight); row * tileHeight < bottom; row++) {
      for (let col = Math.floor(left / tileWidth); col * tileWidth < right; col++) {
        const key = tileKey(this.#slide, level, row * cols + col);
        const tile = this.#cache.get(key) ?? (await this.#load(geometry, key, level, col, row));
        const tileX = col * tileWidth;
        const tileY = row * tileHeight;
        const fromX = Math.max(left, tileX);
        const fromY = Math.max(top, tileY);
        const bytes = (Math.min(right, tileX + tileWidth) - fromX) * 3;
        const rows = Math.min(bottom, tileY + tileHeight) - fromY;
        const to = into + (fromY - y) * stride + (fromX - x) * 3;
        if (tile === undefined) kernels.fill(to, stride, bytes, rows, MISSING);
        else {
          const from = tile + ((fromY - tileY) * tileWidth + fromX - tileX) * 3;
          kernels.copy(to, stride, from, tileWidth * 3, bytes, rows);
          if (tileY + tileHeight <= nextTop) this.#cache.spend(key);
        }
      }
    }
  }

  async #load(
    { tileWidth, tileHeight }: LevelGeometry,
    key: number,
    level: number,
    col: number,
    row: number,
  ): Promise<number | undefined> {
    const at = this.#cache.take();
    try {
      const reading = this.#source.readTile(level, col, row, this.#memory.bytes(at, tileWidth * tileHeight * 3));
      const state = typeof reading === 'string' ? reading : await reading;
      if (state === 'decoded') {
        this.#cache.put(key, at);
        return at;
      }
    } catch (error) {
      this.#cache.release(at);
      throw error;
    }
    this.#cache.release(at);
    return undefined;
  }
}

/** Slide (15 bits), level (6 bits) and tile (32 bits) in one exact integer. */
function tileKey(slide: number, level: number, tile: number): number {
  return ((slide % 2 ** 15) * 64 + level) * 2 ** 32 + tile;
}
