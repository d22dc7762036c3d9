import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import sharp from 'sharp';
import { foreignSamples, SAMPLES_FIX } from '../../codec/image/sample-format.js';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { GREY_NOTE } from '../note.js';
import type { PixelRectangle } from '../rectangles.js';
import type { LevelGeometry, OpenedSlide, TileSource, TileSourceDescription, TileState } from '../slide.js';
import { gapsWithin, type StoredImage, storedImage } from '../tiff/stored-image.js';

/**
 * An ordinary image (PNG, JPEG, WebP, small TIFF) as a slide of one level, so that labelled regions run through the same
 * graph as slides. The level is the image at the model's spacing: an image at another spacing is resampled when it is
 * decoded (bilinear, with low-pass filtering when it shrinks), which also lets coarse regions be enlarged.
 */
export const IMAGE_KIND = 'image';

/** Spacings closer than this (relative) are not resampled; the plan has the same tolerance. */
export const SPACING_TOLERANCE = 0.07;

/** Side of the tiles the level is served in. */
const TILE = 512;
/** Largest level held in memory, in pixels (300 MB of RGB); larger images belong into a tiled TIFF. */
const MAX_PIXELS = 100_000_000;

export interface ImageSlideOptions {
  /** Spacing of the file in µm/px. */
  readonly mpp: number;
  /** Spacing the model wants, in µm/px. */
  readonly spacing: number;
  /** SlideInfo.id; the file's name made safe unless given. */
  readonly id?: string;
}

interface ImageSourceDescription extends TileSourceDescription {
  readonly kind: typeof IMAGE_KIND;
  readonly width: number;
  readonly height: number;
  readonly mpp: number;
}

/**
 * Opens an image as a slide. Reads its header only; pixels are decoded by the reader threads.
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE (damaged or cut off), SLIDE_NO_MPP, SLIDE_UNSUPPORTED (over 100 Mpx, or not of 8
 * unsigned bits a sample).
 */
export async function openImageAsSlide(path: string, options: ImageSlideOptions): Promise<OpenedSlide> {
  if (!(options.mpp > 0)) throw new StromaflowError('SLIDE_NO_MPP', `${path}: its spacing is not known`);
  const { width: fileWidth, height: fileHeight, format, grey, foreign } = await readImageHeader(path);
  if (foreign !== undefined)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${foreign}`, { fix: SAMPLES_FIX });
  const fits = Math.abs(options.mpp / options.spacing - 1) <= SPACING_TOLERANCE;
  const mpp = fits ? options.mpp : options.spacing;
  const width = Math.max(1, Math.round((fileWidth * options.mpp) / mpp));
  const height = Math.max(1, Math.round((fileHeight * options.mpp) / mpp));
  if (width * height > MAX_PIXELS || fileWidth * fileHeight > MAX_PIXELS) {
    throw new StromaflowError(
      'SLIDE_UNSUPPORTED',
      `${path}: ${width} × ${height} pixels are too many for a plain image`,
    );
  }
  const level: LevelGeometry = { width, height, downsample: 1, mpp, tileWidth: TILE, tileHeight: TILE };
  const source: ImageSourceDescription = { kind: IMAGE_KIND, path, width, height, mpp };
  return {
    info: {
      id: options.id ?? safeId(basename(path, extname(path))),
      path,
      format: `image (${format})`,
      mpp,
      levels: [level],
      fingerprint: await fingerprint(path, `${width}x${height}`),
      properties: fits ? {} : { 'image.resampled-from-mpp': String(options.mpp) },
      ...(grey ? { notes: [GREY_NOTE] } : {}),
    },
    source,
  };
}

/** Opens the pixels of an image in a reader thread. The whole image is decoded on the first read and kept until close. */
export function openImageTileSource(description: TileSourceDescription): TileSource {
  const { path, width, height, mpp } = description as ImageSourceDescription;
  const level: LevelGeometry = { width, height, downsample: 1, mpp, tileWidth: TILE, tileHeight: TILE };
  let pixels: Promise<Uint8Array> | undefined;
  let stored: StoredImage | undefined;
  let unwritten: PixelRectangle[] | undefined;
  return {
    levels: [level],
    readTile: async (_level, col, row, into): Promise<TileState> => {
      stored ??= storedImage(path) ?? WHOLE;
      pixels ??= decode(path, width, height, stored.hasUnnamedSample);
      const all = await pixels;
      const x = col * TILE;
      const columns = Math.min(TILE, width - x);
      const rows = Math.min(TILE, height - row * TILE);
      for (let y = 0; y < rows; y++) {
        const from = ((row * TILE + y) * width + x) * 3;
        into.set(all.subarray(from, from + columns * 3), y * TILE * 3);
      }
      if (stored.unwritten.length === 0) return 'decoded';
      unwritten ??= await enlarged(path, stored.unwritten, width, height);
      const gaps = gapsWithin(unwritten, { x, y: row * TILE, width: columns, height: rows });
      if (gaps === 'missing') return gaps;
      return gaps.length > 0 ? { gaps } : 'decoded';
    },
    close: () => {
      pixels = undefined;
    },
  };
}

export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  readonly format: string;
  /** µm/px from the file's own resolution tag where it is one a microscope could have (0.05–5 µm/px). */
  readonly mpp?: number;
  /** It has no colour. */
  readonly grey: boolean;
  /** Why its samples are not read, going on from its name. */
  readonly foreign: string | undefined;
}

/**
 * Size and format of an image without decoding it. PNG and JPEG files that were cut off are told from their last bytes.
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE
 */
export async function readImageHeader(path: string): Promise<ImageHeader> {
  try {
    const facts = await sharp(path, { limitInputPixels: false }).metadata();
    const { width, height, format, density, space } = facts;
    await checkEnd(path, format);
    const mpp = density ? 25_400 / density : undefined;
    const grey = space === 'b-w' || space === 'grey16';
    const foreign = foreignSamples(facts);
    return { width, height, format, grey, foreign, ...(mpp && mpp >= 0.05 && mpp <= 5 ? { mpp } : {}) };
  } catch (error) {
    const message = toStromaflowError(error).message.split('\n', 1)[0]!;
    if (/input file is missing|no such file/i.test(message)) {
      throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file`, { cause: error });
    }
    const what = message.startsWith(path) ? message : `${path}: ${message}`;
    throw new StromaflowError('SLIDE_UNREADABLE', what, { cause: error });
  }
}

/** A name usable as SlideInfo.id: runs of other characters become one '_'. */
export function safeId(name: string): string {
  return name.replace(/[^A-Za-z0-9-]+/g, '_').replace(/^_+|_+$/g, '') || 'image';
}

const WHOLE: StoredImage = { hasUnnamedSample: false, unwritten: [] };

/** Parts of an image at the level's size, whole pixels outwards. */
async function enlarged(
  path: string,
  parts: readonly PixelRectangle[],
  width: number,
  height: number,
): Promise<PixelRectangle[]> {
  const image = await readImageHeader(path);
  const [across, down] = [width / image.width, height / image.height];
  return parts.map(part => {
    const [x, y] = [Math.floor(part.x * across), Math.floor(part.y * down)];
    const right = Math.min(width, Math.ceil((part.x + part.width) * across));
    const bottom = Math.min(height, Math.ceil((part.y + part.height) * down));
    return { x, y, width: right - x, height: bottom - y };
  });
}

async function decode(path: string, width: number, height: number, opaque: boolean): Promise<Uint8Array> {
  try {
    const image = sharp(path, { ignoreIcc: true, failOn: 'warning', limitInputPixels: MAX_PIXELS });
    const { data } = await (opaque ? image.removeAlpha() : image.flatten({ background: '#ffffff' }))
      .resize(width, height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (data.length !== width * height * 3) throw new Error(`${data.length / width / height} channels after decoding`);
    return data;
  } catch (error) {
    const message = toStromaflowError(error).message.split('\n', 1)[0]!;
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: ${message}`, { cause: error });
  }
}

/** PNG ends in an IEND chunk, JPEG in an end-of-image marker; a file that was cut off does not. */
async function checkEnd(path: string, format: string): Promise<void> {
  if (format !== 'png' && format !== 'jpeg') return;
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(size, 4096));
    await file.read(tail, 0, tail.length, size - tail.length);
    const whole = format === 'png' ? tail.includes('IEND') : tail.includes(Buffer.from([0xff, 0xd9]));
    if (!whole) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: it is cut off`);
  } finally {
    await file.close();
  }
}

async function fingerprint(path: string, geometry: string): Promise<string> {
  const file = await open(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const head = Buffer.alloc(Math.min(size, 65_536));
    await file.read(head, 0, head.length, 0);
    return createHash('sha256').update(`${size} ${mtimeMs} ${geometry} `).update(head).digest('hex').slice(0, 32);
  } finally {
    await file.close();
  }
}
