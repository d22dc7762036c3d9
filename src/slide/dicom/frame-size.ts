import type { DicomLevel } from './description.js';

/** Pixels. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The size of a coded frame that is smaller than its level's tiles and yet shows all that is wanted of it; undefined for all others.
 *
 * @param own pixels of the slide in the tile.
 */
export function smallerSize(
  { codec, tileWidth, tileHeight }: DicomLevel,
  frame: Buffer,
  own: FrameSize,
): FrameSize | undefined {
  const size = codec === 'jpeg' ? jpegSize(frame) : codec === 'jpeg2000' ? codestreamSize(frame) : undefined;
  if (!size) return undefined;
  const { width, height } = size;
  const isSmaller = width <= tileWidth && height <= tileHeight && (width < tileWidth || height < tileHeight);
  return isSmaller && width >= own.width && height >= own.height ? size : undefined;
}

/** By the first start of frame (ITU-T T.81, B.2.2). */
function jpegSize(frame: Buffer): FrameSize | undefined {
  for (let at = 2; at + 9 <= frame.length && frame[at] === 0xff; at += 2 + frame.readUInt16BE(at + 2)) {
    const marker = frame[at + 1]!;
    if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAME.has(marker))
      return { width: frame.readUInt16BE(at + 7), height: frame.readUInt16BE(at + 5) };
  }
  return undefined;
}

/** Huffman tables, a reserved marker and arithmetic conditioning share the range. */
const NO_FRAME = new Set([0xc4, 0xc8, 0xcc]);

/** By the SIZ segment, which is the first (ISO/IEC 15444-1, A.5.1). */
function codestreamSize(frame: Buffer): FrameSize | undefined {
  if (frame.length < 24 || frame.readUInt32BE(0) !== 0xff4fff51) return undefined;
  const [right, bottom, left, top] = [8, 12, 16, 20].map(at => frame.readUInt32BE(at)) as [
    number,
    number,
    number,
    number,
  ];
  return right > left && bottom > top ? { width: right - left, height: bottom - top } : undefined;
}
