import { StromaflowError } from '../errors.js';
import { footprintOf } from '../slide/footprint.js';
import { areaOf, clipRectangle, disjoint, type PixelRectangle } from '../slide/rectangles.js';
import type { TileSource } from '../slide/slide.js';
import type { PixelMemory } from './pixel-memory.js';
import type { Region } from './region.js';
import { BoxResampler } from './resample.js';
import type { TileCache } from './tile-cache.js';

/** What the model sees where no pixel is stored, as in any viewer. It is never judged. */
const MISSING = 255;

/** One reading of a level: what of it is wanted, and what of that is not there. */
interface Reading {
  readonly level: number;
  /** Tiles that end above it will not be needed again soon, in pixels of the level. */
  readonly nextTop: number;
  /** A damaged tile is as good as none: a tile of a coarser level is being drawn from this one, or somebody only looks. */
  readonly lenient: boolean;
  /** Parts that no tile holds, in pixels of the level. */
  readonly gaps: PixelRectangle[];
}

/**
 * Puts regions together from stored tiles, through a bounded cache of decoded ones. A tile that is not stored is drawn from
 * the next finer level, and that one's from the next; what no level has is missing.
 */
export class PatchAssembler {
  readonly #source: TileSource;
  readonly #memory: PixelMemory;
  readonly #cache: TileCache;
  readonly #slide: number;
  readonly #resampler: BoxResampler;
  /** Those that draw from a level, by level: each may run while another waits for it. */
  readonly #drawing: BoxResampler[] = [];

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
   * Pixels of which a part is not stored: 255. May invalidate views of the memory.
   *
   * @param lenient takes a damaged tile for one that is not stored: for eyes, never for the model.
   * @returns where those are, in pixels of the region; the rectangles may overlap.
   * @throws TILE_CORRUPT unless lenient, SLIDE_UNREADABLE; the memory at `into` is then undefined.
   */
  async read(region: Region, into: number, { lenient = false } = {}): Promise<readonly PixelRectangle[]> {
    const missing = await this.#region(region, into, this.#resampler, lenient);
    for (const { x, y, width, height } of missing)
      this.#memory.kernels.fill(into + (y * region.width + x) * 3, region.width * 3, width * 3, height, MISSING);
    return missing;
  }

  /** Lets go of this slide's tiles. */
  close(): void {
    this.#cache.forget(tileKey(this.#slide, 0, 0), tileKey(this.#slide, 64, 0));
    this.#source.close();
  }

  async #region(
    region: Region,
    into: number,
    resampler: BoxResampler,
    lenient: boolean,
  ): Promise<readonly PixelRectangle[]> {
    const { level, scale, x, y, width, height } = region;
    const { width: levelWidth, height: levelHeight } = this.#source.levels[level]!;
    const nextTop = Math.floor(region.nextTop * scale);
    const reading: Reading = { level, nextTop, lenient, gaps: [] };
    if (scale === 1) await this.#copy(reading, x, y, width, height, into);
    else
      await resampler.run(region, levelWidth, levelHeight, into, (left, top, across, down, band) =>
        this.#copy(reading, left, top, across, down, band),
      );
    return reading.gaps.flatMap(gap => touched(gap, region) ?? []);
  }

  /** Copies level pixels 1:1; a window over the edge is zero there. */
  async #copy(reading: Reading, x: number, y: number, width: number, height: number, into: number): Promise<void> {
    const { kernels } = this.#memory;
    const { level, nextTop, gaps } = reading;
    const geometry = this.#source.levels[level]!;
    const { tileWidth, tileHeight } = geometry;
    const stride = width * 3;
    const left = Math.max(0, x);
    const top = Math.max(0, y);
    const right = Math.min(geometry.width, x + width);
    const bottom = Math.min(geometry.height, y + height);
    if (left > x || top > y || right < x + width || bottom < y + height) kernels.fill(into, stride, stride, height, 0);
    if (right <= left || bottom <= top) return;
    this.#cache.prepare(tileWidth * tileHeight * 3);
    const cols = Math.ceil(geometry.width / tileWidth);
    for (let row = Math.floor(top / tileHeight); row * tileHeight < bottom; row++) {
      for (let col = Math.floor(left / tileWidth); col * tileWidth < right; col++) {
        const key = tileKey(this.#slide, level, row * cols + col);
        const tile = this.#cache.get(key) ?? (await this.#load(reading, key, col, row));
        const tileX = col * tileWidth;
        const tileY = row * tileHeight;
        const fromX = Math.max(left, tileX);
        const fromY = Math.max(top, tileY);
        const across = Math.min(right, tileX + tileWidth) - fromX;
        const down = Math.min(bottom, tileY + tileHeight) - fromY;
        const to = into + (fromY - y) * stride + (fromX - x) * 3;
        if (tile === undefined) {
          kernels.fill(to, stride, across * 3, down, MISSING);
          gaps.push({ x: fromX, y: fromY, width: across, height: down });
          continue;
        }
        const from = tile + ((fromY - tileY) * tileWidth + fromX - tileX) * 3;
        kernels.copy(to, stride, from, tileWidth * 3, across * 3, down);
        for (const gap of this.#cache.gapsOf(key)) {
          const placed = { ...gap, x: tileX + gap.x, y: tileY + gap.y };
          const part = clipRectangle(placed, fromX, fromY, fromX + across, fromY + down);
          if (part) gaps.push(part);
        }
        if (tileY + tileHeight <= nextTop) this.#cache.spend(key);
      }
    }
  }

  /** Address of a tile that is now in the cache; undefined when no level has a pixel of it. */
  async #load({ level, lenient }: Reading, key: number, col: number, row: number): Promise<number | undefined> {
    const { tileWidth, tileHeight } = this.#source.levels[level]!;
    const at = this.#cache.take();
    try {
      const reading = this.#source.readTile(level, col, row, this.#memory.bytes(at, tileWidth * tileHeight * 3));
      const state = typeof reading === 'string' ? reading : await reading;
      if (state !== 'missing') {
        this.#cache.put(key, at, state === 'decoded' ? undefined : state.gaps);
        return at;
      }
    } catch (error) {
      if (!(lenient && error instanceof StromaflowError && error.code === 'TILE_CORRUPT')) {
        this.#cache.release(at);
        throw error;
      }
    }
    this.#cache.release(at);
    return this.#draw(level, key, col, row);
  }

  /** Draws a tile from the next finer level by area averages, as far as that has it. */
  async #draw(level: number, key: number, col: number, row: number): Promise<number | undefined> {
    const { levels, sameInAllLevels } = this.#source;
    const footprint = sameInAllLevels ? undefined : footprintOf(levels, level, col, row);
    if (!footprint) return undefined;
    const { tileWidth, tileHeight } = levels[level]!;
    const { scale, x, y, width, height, slideWidth, slideHeight } = footprint;
    const bytes = tileWidth * tileHeight * 3;
    // Not in a frame of the cache: reading the finer tiles may empty it.
    const drawn = this.#memory.area(`drawn ${level}`, bytes);
    const region: Region = {
      ...{ level: level - 1, scale, x, y, slideWidth, slideHeight },
      ...{ width: tileWidth, height: tileHeight, nextTop: Number.POSITIVE_INFINITY },
    };
    this.#drawing[level] ??= new BoxResampler(this.#memory, ` for level ${level}`);
    const missing = await this.#region(region, drawn, this.#drawing[level], true);
    const beyond = [
      { x: slideWidth - x, y: 0, width, height },
      { x: 0, y: slideHeight - y, width, height },
    ];
    const gaps = disjoint([...missing, ...beyond], width, height);
    if (areaOf(gaps) === width * height) return undefined;
    this.#cache.prepare(bytes);
    const at = this.#cache.take();
    this.#memory.bytes(at, bytes).set(this.#memory.bytes(drawn, bytes));
    this.#cache.put(key, at, gaps);
    return at;
  }
}

/** The pixels of a region that a rectangle of its level is a part of. */
function touched(gap: PixelRectangle, region: Region): PixelRectangle | undefined {
  const { scale, x, y, width, height, slideWidth, slideHeight } = region;
  const left = Math.floor(gap.x / scale + 1e-9) - x;
  const top = Math.floor(gap.y / scale + 1e-9) - y;
  const placed = {
    x: left,
    y: top,
    width: Math.ceil((gap.x + gap.width) / scale - 1e-9) - x - left,
    height: Math.ceil((gap.y + gap.height) / scale - 1e-9) - y - top,
  };
  return clipRectangle(placed, 0, 0, Math.min(width, slideWidth - x), Math.min(height, slideHeight - y));
}

/** Slide (15 bits), level (6 bits) and tile (32 bits) in one exact integer. */
function tileKey(slide: number, level: number, tile: number): number {
  return ((slide % 2 ** 15) * 64 + level) * 2 ** 32 + tile;
}
