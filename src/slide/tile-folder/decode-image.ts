import { extname } from 'node:path';
import sharp from 'sharp';
import { StromaflowError } from '../../errors.js';
import { decodeJpeg as decodeStream } from '../jpeg/decode-jpeg.js';
import { endsWithEoi, prepareTile } from '../jpeg-stream.js';
import { decodeBmp } from './bmp.js';

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Pixels of one stored image: RGB, 8 bits a sample, rows top down. */
export interface Image extends ImageSize {
  readonly pixels: Uint8Array;
}

/** An image may claim to be a little larger than a tile before it is refused unread: the message says what was found. */
const ROOM = 4;

/**
 * Decodes an image file: JPEG, BMP, and what sharp reads (PNG, TIFF, WebP).
 *
 * @param pixels how many are expected: an image that claims many more is not decoded.
 * @param checkSize throws for a size that is wrong; asked before pixels are made of a JPEG, which says it first.
 * @throws TILE_CORRUPT
 */
export async function decodeImage(
  path: string,
  bytes: Buffer,
  pixels: number,
  checkSize: (size: ImageSize) => void,
): Promise<Image> {
  const most = Math.max(pixels * ROOM, 1 << 20);
  const extension = extname(path).toLowerCase();
  if (extension === '.jpg' || extension === '.jpeg') return decodeJpeg(path, bytes, checkSize);
  if (extension === '.bmp') return decodeBmp(path, bytes, most);
  try {
    const image = sharp(bytes, { failOn: 'warning', limitInputPixels: most, ignoreIcc: true });
    const { data, info } = await image
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return { width: info.width, height: info.height, pixels: data };
  } catch (error) {
    throw corrupt(path, 'cannot be decoded', error);
  }
}

function decodeJpeg(path: string, bytes: Buffer, checkSize: (size: ImageSize) => void): Image {
  // The size is checked on a copy, because the decoder trusts it and looking at it changes markers.
  const frame = prepareTile(Buffer.from(bytes));
  if (!frame) throw corrupt(path, 'is not a JPEG stream');
  if (!endsWithEoi(bytes)) throw corrupt(path, 'has no end');
  checkSize(frame);
  const { width, height } = frame;
  try {
    const pixels = Buffer.alloc(width * height * 3);
    decodeStream(bytes, pixels);
    return { width, height, pixels };
  } catch (error) {
    throw corrupt(path, 'cannot be decoded', error);
  }
}

export const corrupt = (path: string, problem: string, cause?: unknown): StromaflowError =>
  new StromaflowError('TILE_CORRUPT', `${path}: ${problem}`, { cause });
