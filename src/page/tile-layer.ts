import { slideUrl } from './api.js';
import { type MaskStyle, paintMask, paintProbabilities } from './mask-ink.js';
import type { PatchGrid } from './patch-grid.js';
import type { View } from './view.js';

export interface MaskShape {
  /** Pixels of a tile's side. */
  readonly tile: number;
  readonly levels: number;
  readonly coarse: number;
}

/** Tiles that are kept: 1.3 MB each of 512 pixels. */
const KEPT = 64;
const REQUESTS_AT_ONCE = 4;
/** A tile of many patches that changes all the time is not asked for with each of them: their thumbnails are on it already. */
const PATIENCE_MS = 400;

interface Tile {
  readonly level: number;
  readonly col: number;
  readonly row: number;
  readonly canvas: HTMLCanvasElement;
  /** 0 or 1 a pixel; of probabilities 0 where none is known, else 255 p and 1 at least. */
  readonly mask: Uint8Array;
  /** How it is painted. */
  look: string;
  /** Change of the patches up to which it is true; undefined: nothing was loaded yet. */
  loaded: number | undefined;
  loading: boolean;
  /** Change of the patches that touched it last. */
  touched: number;
  askedAt: number;
}

/**
 * The mask over the slide: tiles of the resolution that fits the zoom, kept in memory, drawn at every frame. A patch that comes
 * is painted on the tiles that are there from the thumbnail in its event, and its tile is asked for again a moment later.
 */
export class TileLayer {
  readonly #slide: string;
  readonly #shows: 'mask' | 'probability';
  readonly #shape: MaskShape;
  readonly #patches: PatchGrid;
  readonly #changed: () => void;
  readonly #tiles = new Map<string, Tile>();
  #style: MaskStyle;
  #loading = 0;
  #later: number | undefined;
  #closed = false;

  /** @param changed called when there is something new to draw. */
  constructor(
    slide: string,
    shows: 'mask' | 'probability',
    shape: MaskShape,
    patches: PatchGrid,
    style: MaskStyle,
    changed: () => void,
  ) {
    this.#slide = slide;
    this.#shows = shows;
    this.#shape = shape;
    this.#patches = patches;
    this.#style = style;
    this.#changed = changed;
  }

  set style(style: MaskStyle) {
    this.#style = style;
    this.#changed();
  }

  /** Nothing that is in view waits for its pixels. */
  get settled(): boolean {
    return this.#loading === 0 && this.#later === undefined;
  }

  /** The resolution whose pixels are nearest to the screen's, finer rather than coarser. */
  levelFor(view: View, pixelRatio: number): number {
    const perPixel = view.scale * this.#patches.grid.downsample * pixelRatio;
    return Math.max(0, Math.min(this.#shape.levels - 1, Math.floor(Math.log2(1 / perPixel) + 1e-6)));
  }

  draw(ctx: CanvasRenderingContext2D, view: View, pixelRatio: number): void {
    if (!this.#isShown) return;
    const level = this.levelFor(view, pixelRatio);
    const { downsample, cols, rows } = this.#patches.grid;
    const span = this.#shape.tile * downsample * 2 ** level;
    const first = (from: number): number => Math.max(0, Math.floor(from / span));
    const last = (to: number, patches: number): number =>
      Math.min(Math.ceil(patches / 2 ** level), Math.ceil(to / span));
    ctx.globalAlpha = this.#alpha;
    ctx.imageSmoothingEnabled = false;
    for (let row = first(view.top); row < last(view.top + view.height / view.scale, rows); row++)
      for (let col = first(view.left); col < last(view.left + view.width / view.scale, cols); col++)
        this.#drawTile(ctx, view, level, col, row);
    ctx.globalAlpha = 1;
    this.#load();
  }

  /** Of the mask, or of probabilities where they are shown instead. */
  get #isShown(): boolean {
    const { shape } = this.#style;
    return this.#shows === 'probability' ? shape === 'probability' : shape === 'fill' || shape === 'outline';
  }

  /** A line of two pixels is lost on tissue where a tint of the same opacity is plain: outlines are nearer to opaque. */
  get #alpha(): number {
    const { shape, opacity } = this.#style;
    return shape === 'outline' ? 1 - (1 - opacity) ** 3 : opacity;
  }

  /** Another way to paint is another text. */
  get #look(): string {
    const { shape, colour, threshold } = this.#style;
    return this.#shows === 'probability' ? String(threshold) : `${shape} ${colour}`;
  }

  /** A patch has changed: what shows it is no longer true. */
  touch(col: number, row: number): void {
    for (const tile of this.#tiles.values())
      if (col >> tile.level === tile.col && row >> tile.level === tile.row) tile.touched = this.#patches.changes;
  }

  /** Paints a patch that came on every tile that shows it. */
  thumbnail(col: number, row: number, bits: Uint8Array): void {
    if (this.#shows === 'probability') return;
    const from = this.#shape.tile / 2 ** this.#shape.coarse;
    const stride = (from + 7) >> 3;
    for (const tile of this.#tiles.values()) {
      const patches = 2 ** tile.level;
      if (Math.floor(col / patches) !== tile.col || Math.floor(row / patches) !== tile.row) continue;
      const side = this.#shape.tile / patches;
      const [left, top] = [(col % patches) * side, (row % patches) * side];
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++) {
          const [u, v] = [Math.floor((x * from) / side), Math.floor((y * from) / side)];
          tile.mask[(top + y) * this.#shape.tile + left + x] = (bits[v * stride + (u >> 3)]! >> (7 - (u & 7))) & 1;
        }
      this.#paint(tile, left, top, side, side);
    }
  }

  /** Mask pixels in view above the threshold, at the resolution that is shown; undefined while some are on their way. */
  above(view: View, pixelRatio: number): number | undefined {
    const level = this.levelFor(view, pixelRatio);
    const { downsample, cols, rows } = this.#patches.grid;
    const { tile: side } = this.#shape;
    const pixel = downsample * 2 ** level;
    const range = (from: number, length: number, patches: number): readonly [number, number] => {
      const end = (patches * side) / 2 ** level;
      return [Math.max(0, Math.floor(from / pixel)), Math.min(Math.ceil(end), Math.ceil((from + length) / pixel))];
    };
    const [left, right] = range(view.left, view.width / view.scale, cols);
    const [top, bottom] = range(view.top, view.height / view.scale, rows);
    const least = this.#style.threshold * 255;
    let count = 0;
    for (let row = Math.floor(top / side); row * side < bottom; row++)
      for (let col = Math.floor(left / side); col * side < right; col++) {
        const tile = this.#tiles.get(`${level}/${col}/${row}`);
        if (tile?.loaded === undefined) return undefined;
        for (let y = Math.max(0, top - row * side); y < Math.min(side, bottom - row * side); y++)
          for (let x = Math.max(0, left - col * side); x < Math.min(side, right - col * side); x++)
            if (tile.mask[y * side + x]! > least) count += 1;
      }
    return count * 4 ** level;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#later);
    this.#tiles.clear();
  }

  #drawTile(ctx: CanvasRenderingContext2D, view: View, level: number, col: number, row: number): void {
    const key = `${level}/${col}/${row}`;
    let tile = this.#tiles.get(key);
    if (tile) this.#tiles.delete(key);
    else tile = this.#empty(level, col, row);
    this.#tiles.set(key, tile);
    const span = this.#shape.tile * this.#patches.grid.downsample * 2 ** level;
    const place = (at: number, from: number): number => (at * span - from) * view.scale;
    const [x, y, side] = [place(col, view.left), place(row, view.top), span * view.scale];
    if (tile.loaded !== undefined) {
      if (tile.look !== this.#look) this.#paint(tile);
      ctx.drawImage(tile.canvas, x, y, side, side);
      return;
    }
    // Until it is there a coarser one stands for it.
    for (let up = 1; level + up < this.#shape.levels; up++) {
      const parent = this.#tiles.get(`${level + up}/${col >> up}/${row >> up}`);
      if (parent?.loaded === undefined) continue;
      const part = this.#shape.tile / 2 ** up;
      const [u, v] = [(col % 2 ** up) * part, (row % 2 ** up) * part];
      ctx.drawImage(parent.canvas, u, v, part, part, x, y, side, side);
      return;
    }
  }

  #empty(level: number, col: number, row: number): Tile {
    const canvas = document.createElement('canvas');
    canvas.width = this.#shape.tile;
    canvas.height = this.#shape.tile;
    const mask = new Uint8Array(this.#shape.tile ** 2);
    for (const oldest of this.#tiles.keys()) {
      if (this.#tiles.size < KEPT) break;
      this.#tiles.delete(oldest);
    }
    return { level, col, row, canvas, mask, look: '', loaded: undefined, loading: false, touched: 0, askedAt: 0 };
  }

  /** Asks for what was drawn last and is not there, or no longer true. */
  #load(): void {
    for (const tile of [...this.#tiles.values()].reverse()) {
      if (this.#loading >= REQUESTS_AT_ONCE) return;
      if (tile.loading) continue;
      const stale = tile.loaded === undefined || tile.touched > tile.loaded;
      if (!stale) continue;
      const wait = tile.level > 1 && tile.loaded !== undefined ? PATIENCE_MS - (performance.now() - tile.askedAt) : 0;
      if (wait > 0) this.#soon(wait);
      else void this.#fetch(tile);
    }
  }

  #soon(milliseconds: number): void {
    this.#later ??= window.setTimeout(() => {
      this.#later = undefined;
      this.#changed();
    }, milliseconds);
  }

  async #fetch(tile: Tile): Promise<void> {
    tile.loading = true;
    tile.askedAt = performance.now();
    this.#loading += 1;
    const since = this.#patches.changes;
    try {
      const answer = await fetch(slideUrl(this.#slide, `/${this.#shows}/${tile.level}/${tile.col}/${tile.row}`));
      if (!answer.ok) throw new Error(String(answer.status));
      const bitmap = await createImageBitmap(await answer.blob());
      if (this.#closed) return;
      this.#take(tile, bitmap);
      tile.loaded = since;
    } catch {
      // Server away or busy: a little later it is asked for again.
      if (!this.#closed) this.#soon(2000);
      await new Promise(resolve => setTimeout(resolve, 1000));
    } finally {
      tile.loading = false;
      this.#loading -= 1;
      if (!this.#closed) this.#changed();
    }
  }

  #take(tile: Tile, bitmap: ImageBitmap): void {
    const { tile: side } = this.#shape;
    const scratch = new OffscreenCanvas(side, side);
    const ctx = scratch.getContext('2d', { willReadFrequently: true })!;
    ctx.drawImage(bitmap, 0, 0);
    bitmap.close();
    const { data } = ctx.getImageData(0, 0, side, side);
    if (this.#shows === 'mask') for (let i = 0; i < tile.mask.length; i++) tile.mask[i] = data[i * 4]! >> 7;
    else
      for (let i = 0; i < tile.mask.length; i++) tile.mask[i] = data[i * 4 + 3] === 0 ? 0 : Math.max(1, data[i * 4]!);
    this.#paint(tile);
  }

  #paint(tile: Tile, left = 0, top = 0, width: number = this.#shape.tile, height: number = this.#shape.tile): void {
    const look = this.#look;
    const isWhole = width === this.#shape.tile && height === this.#shape.tile;
    // A part of a tile that is painted otherwise: all of it, when it is drawn.
    if (!isWhole && tile.look !== look) return;
    tile.look = look;
    const ctx = tile.canvas.getContext('2d')!;
    const image = ctx.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    if (this.#shows === 'probability') paintProbabilities(pixels, tile.mask, this.#style.threshold);
    else paintMask(pixels, tile.mask, this.#shape.tile, { left, top, width, height }, this.#style);
    ctx.putImageData(image, left, top);
  }
}
