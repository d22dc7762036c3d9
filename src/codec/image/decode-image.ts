import { extname } from 'node:path';
import sharp from 'sharp';
import { StromaflowError } from '../../errors.js';
import { ForeignTile } from '../foreign-tile.js';
import { decodeJpeg as decodeStream } from '../jpeg/decode-jpeg.js';
import { endsWithEoi, foreignJpeg, type JpegFrame, prepareTile } from '../jpeg/jpeg-stream.js';
import { decodeBmp, readBmpHeader } from './bmp.js';
import { CMYK, foreignSamples } from './sample-format.js';

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
 * @param opaque a fourth sample is no transparency.
 * @returns a ForeignTile for a sound image that is not of 8 unsigned bits a sample, or is CMYK.
 * @throws TILE_CORRUPT
 */
export async function decodeImage(
  path: string,
  bytes: Buffer,
  pixels: number,
  checkSize: (size: ImageSize) => void,
  opaque = false,
): Promise<Image | ForeignTile> {
  const most = Math.max(pixels * ROOM, 1 << 20);
  const coding = codingOf(path);
  if (coding === 'jpeg') return decodeJpeg(path, bytes, checkSize);
  if (coding === 'bmp') return foreignBitmap(bytes) ?? decodeBmp(path, bytes, most);
  try {
    const image = sharp(bytes, { failOn: 'warning', limitInputPixels: most, ignoreIcc: true });
    const foreign = foreignSamples(await image.metadata());
    if (foreign !== undefined) return new ForeignTile(foreign);
    const { data, info } = await (opaque ? image.removeAlpha() : image.flatten({ background: '#ffffff' }))
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return { width: info.width, height: info.height, pixels: data };
  } catch (error) {
    throw corrupt(path, 'cannot be decoded', error);
  }
}

/** What decodeImage would find foreign, by an image's head; undefined also for what is damaged. */
export async function foreignImage(path: string, bytes: Buffer): Promise<ForeignTile | undefined> {
  const coding = codingOf(path);
  if (coding === 'jpeg') return foreignStream(bytes, prepareTile(Buffer.from(bytes)));
  if (coding === 'bmp') return foreignBitmap(bytes);
  const facts = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  const foreign = facts && foreignSamples(facts);
  return foreign === undefined ? undefined : new ForeignTile(foreign);
}

function codingOf(path: string): 'jpeg' | 'bmp' | undefined {
  const extension = extname(path).toLowerCase();
  if (extension === '.jpg' || extension === '.jpeg') return 'jpeg';
  return extension === '.bmp' ? 'bmp' : undefined;
}

function decodeJpeg(path: string, bytes: Buffer, checkSize: (size: ImageSize) => void): Image | ForeignTile {
  // The size is checked on a copy, because the decoder trusts it and looking at it changes markers.
  const frame = prepareTile(Buffer.from(bytes));
  const foreign = foreignStream(bytes, frame);
  if (foreign) return foreign;
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

/** @param frame of the stream; undefined where it is none that is decoded. */
function foreignStream(bytes: Buffer, frame: JpegFrame | undefined): ForeignTile | undefined {
  if (!endsWithEoi(bytes)) return undefined;
  const what = frame ? foreignComponents(frame.components) : foreignJpeg(bytes);
  return what === undefined ? undefined : new ForeignTile(what);
}

const foreignComponents = (components: number): string | undefined =>
  components === 4 ? CMYK : components === 1 || components === 3 ? undefined : `has ${components} components`;

function foreignBitmap(bytes: Buffer): ForeignTile | undefined {
  const { bits } = readBmpHeader(bytes) ?? {};
  return bits === undefined || bits === 24 || bits === 32
    ? undefined
    : new ForeignTile(`has ${bits} bits a pixel instead of 24`);
}

export const corrupt = (path: string, problem: string, cause?: unknown): StromaflowError =>
  new StromaflowError('TILE_CORRUPT', `${path}: ${problem}`, { cause });
