import { encodeJpeg } from '../codec/jpeg/encode-jpeg.js';
import { StromaflowError } from '../errors.js';
import { PatchAssembler } from '../read/assemble.js';
import type { OverviewCanvas } from '../read/overview.js';
import type { PixelMemory } from '../read/pixel-memory.js';
import type { TileCache } from '../read/tile-cache.js';
import type { TileSource } from '../slide/slide.js';
import { originOf, PICTURE_TILE, type PictureShape, pictureTile } from './picture-levels.js';

const WHITE = 255;

/** Reads tiles of one slide for people to look at. */
export class PictureReader {
  readonly #shape: PictureShape;
  readonly #memory: PixelMemory;
  readonly #assembler: PatchAssembler;

  /** @param cache in the same memory; may be shared by several slides, which `slide` tells apart. */
  constructor(source: TileSource, shape: PictureShape, memory: PixelMemory, cache: TileCache, slide: number) {
    this.#shape = shape;
    this.#memory = memory;
    this.#assembler = new PatchAssembler(source, memory, cache, slide);
  }

  /**
   * A tile as a JPEG, cut at the slide's edge; what is not stored, or damaged, is white: one damaged tile of the slide must not
   * take away all that a coarse tile shows. What is missing there is said by the patches.
   *
   * @throws SLIDE_UNREADABLE; CONFIG_INVALID where there is no such tile.
   */
  async tile(z: number, col: number, row: number): Promise<Uint8Array> {
    const origin = originOf(this.#shape, z);
    const size = pictureTile(this.#shape, z, col, row);
    if (!origin || !size) throw new StromaflowError('CONFIG_INVALID', 'there is no such tile');
    const { width, height } = size;
    const [x, y] = [col * PICTURE_TILE, row * PICTURE_TILE];
    if (origin.from === 'canvas') {
      const pixels = fromCanvas(this.#shape.canvas!.overview, origin.scale, x, y, width, height);
      return encodeJpeg(pixels, width, height);
    }
    const { level, scale } = origin;
    const geometry = this.#shape.levels[level]!;
    const at = this.#memory.area('picture', PICTURE_TILE ** 2 * 3);
    await this.#assembler.read(
      {
        ...{ level, scale, x, y, width, height, nextTop: Number.POSITIVE_INFINITY },
        slideWidth: Math.max(x + width, Math.round(geometry.width / scale)),
        slideHeight: Math.max(y + height, Math.round(geometry.height / scale)),
      },
      at,
      { lenient: true },
    );
    return encodeJpeg(this.#memory.bytes(at, width * height * 3).slice(), width, height);
  }

  close(): void {
    this.#assembler.close();
  }
}

/** Means of the canvas's pixels below each pixel, or the one that it lies in. */
function fromCanvas(
  canvas: OverviewCanvas,
  scale: number,
  left: number,
  top: number,
  width: number,
  height: number,
): Uint8Array {
  const from = new Uint8Array(canvas.shared);
  const out = new Uint8Array(width * height * 3).fill(WHITE);
  const span = (at: number, size: number): readonly [number, number] => {
    const first = Math.floor(at * scale);
    return [first, Math.min(size, Math.max(first + 1, Math.floor((at + 1) * scale)))];
  };
  for (let y = 0; y < height; y++) {
    const [y0, y1] = span(top + y, canvas.height);
    for (let x = 0; x < width; x++) {
      const [x0, x1] = span(left + x, canvas.width);
      const count = (x1 - x0) * (y1 - y0);
      if (x1 <= x0 || y1 <= y0) continue;
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let v = y0; v < y1; v++) for (let u = x0; u < x1; u++) sum += from[(v * canvas.width + u) * 3 + channel]!;
        out[(y * width + x) * 3 + channel] = Math.round(sum / count);
      }
    }
  }
  return out;
}
