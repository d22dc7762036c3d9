/** Records of NDTiff 3 (Micro-Manager; NDTiffStorage README), little endian. */

/** Pixel types of the index: 2 is RGB of 8 bits; nothing is of type 255. */
export const NDTIFF_TYPE = { rgb8: 2, unknown: 255 } as const;

const NDTIFF_KEY = 483_729;
const SUMMARY_KEY = 2_355_492;
const MAJOR_VERSION = 3;
const MINOR_VERSION = 3;

/** Start of every part: TIFF header, version, and the summary metadata as JSON. */
export function encodePartHeader(summary: object): Buffer {
  const text = Buffer.from(JSON.stringify(summary));
  const padding = Buffer.alloc((4 - (text.length % 4)) % 4, 0x20);
  const head = Buffer.alloc(28);
  head.write('II', 0);
  head.writeUInt16LE(42, 2);
  head.writeUInt32LE(head.length + text.length + padding.length, 4);
  for (const [index, value] of [NDTIFF_KEY, MAJOR_VERSION, MINOR_VERSION, SUMMARY_KEY].entries())
    head.writeUInt32LE(value, 8 + index * 4);
  head.writeUInt32LE(text.length + padding.length, 24);
  return Buffer.concat([head, text, padding]);
}

/** One image in a part: directory, pixels, metadata; positions are absolute. */
export interface EncodedImage {
  readonly bytes: Buffer;
  readonly pixelsAt: number;
  readonly metadataAt: number;
  readonly metadataLength: number;
}

const SHORT = 3;
const LONG = 4;
const ASCII = 2;
/** Micro-Manager's metadata tag. */
const METADATA_TAG = 51_123;

export function encodeImage(
  position: number,
  width: number,
  height: number,
  rgb: Uint8Array,
  metadata: object,
  isLast: boolean,
): EncodedImage {
  const text = Buffer.from(`${JSON.stringify(metadata)}\0`);
  const tags = 11;
  const bitsAt = position + 2 + tags * 12 + 4;
  const pixelsAt = bitsAt + 6;
  const metadataAt = pixelsAt + rgb.length;
  const end = metadataAt + text.length;
  const next = end + (end % 2);
  const entries: readonly (readonly [tag: number, type: number, count: number, value: number])[] = [
    [256, LONG, 1, width],
    [257, LONG, 1, height],
    [258, SHORT, 3, bitsAt],
    [259, SHORT, 1, 1],
    [262, SHORT, 1, 2],
    [273, LONG, 1, pixelsAt],
    [277, SHORT, 1, 3],
    [278, LONG, 1, height],
    [279, LONG, 1, rgb.length],
    [284, SHORT, 1, 1],
    [METADATA_TAG, ASCII, text.length, metadataAt],
  ];
  const head = Buffer.alloc(2 + tags * 12 + 4 + 6);
  head.writeUInt16LE(tags, 0);
  for (const [index, [tag, type, count, value]] of entries.entries()) {
    const at = 2 + index * 12;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(count, at + 4);
    head.writeUInt32LE(value, at + 8);
  }
  head.writeUInt32LE(isLast ? 0 : next, 2 + tags * 12);
  for (let i = 0; i < 3; i++) head.writeUInt16LE(8, 2 + tags * 12 + 4 + i * 2);
  const bytes = Buffer.concat([head, rgb, text, Buffer.alloc(next - end)]);
  return { bytes, pixelsAt, metadataAt, metadataLength: text.length - 1 };
}

/** One entry of NDTiff.index. */
export function encodeIndexEntry(
  axes: object,
  file: string,
  [width, height]: readonly [number, number],
  type: number,
  { pixelsAt, metadataAt, metadataLength }: EncodedImage,
): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const numbers = [pixelsAt, width, height, type, 0, metadataAt, metadataLength, 0];
  const tail = Buffer.alloc(numbers.length * 4);
  for (const [index, value] of numbers.entries()) tail.writeUInt32LE(value, index * 4);
  return Buffer.concat([text(JSON.stringify(axes)), text(file), tail]);
}
