import { open } from 'node:fs/promises';
import { openSlide } from '#src/slide/open.js';

/** TIFF field types. */
const SHORT = 3;
const LONG = 4;
const LONG8 = 16;
const UNDEFINED = 7;
const ASCII = 2;

/**
 * Writes a larger slide (BigTIFF) by laying a real one's compressed tiles `times` × `times` side by side, without coding
 * them again: every copy is stored anew, so the file grows like the area. Levels other than the finest are left out, and
 * so are tiles that the slide's right and lower edges cut, as whole tiles alone fit together.
 *
 * @param {string} from a tiled JPEG slide
 * @param {string} to file to write
 * @param {number} times copies along each axis
 * @param {{ shared?: boolean }} options shared: every copy of a tile lies at the same place of the file, which is then no larger than one
 * @returns {Promise<{ width: number, height: number, bytes: number }>}
 */
export async function makeLargeSlide(from, to, times, { shared = false } = {}) {
  const { info, source } = await openSlide(from);
  const [level] = source.levels;
  const cols = Math.floor(level.width / level.tileWidth);
  const rows = Math.floor(level.height / level.tileHeight);
  const width = cols * times * level.tileWidth;
  const height = rows * times * level.tileHeight;
  const input = await open(from, 'r');
  const output = await open(to, 'w');
  try {
    const offsets = new BigUint64Array(cols * rows * times * times);
    const counts = new Uint32Array(offsets.length);
    let position = 16;
    const place = (row, col) => row * cols * times + col;
    for (let row = 0; row < rows * times; row++) {
      const line = [];
      for (let col = 0; col < cols * times; col++) {
        if (shared && (row >= rows || col >= cols)) {
          offsets[place(row, col)] = offsets[place(row % rows, col % cols)];
          counts[place(row, col)] = counts[place(row % rows, col % cols)];
          continue;
        }
        const tile = (row % rows) * level.cols + (col % cols);
        const bytes = Buffer.alloc(level.byteCounts[tile]);
        await input.read(bytes, 0, bytes.length, level.offsets[tile]);
        offsets[place(row, col)] = BigInt(position);
        counts[place(row, col)] = bytes.length;
        line.push(bytes);
        position += bytes.length;
      }
      await output.writev(line, position - line.reduce((sum, { length }) => sum + length, 0));
    }
    const description = `Aperio Image Library v11.2.1 \r\n${width}x${height} (${level.tileWidth}x${level.tileHeight}) JPEG|MPP = ${info.mpp}\0`;
    const directory = encodeDirectory(position, [
      [254, LONG, [0]],
      [256, LONG, [width]],
      [257, LONG, [height]],
      [258, SHORT, [8, 8, 8]],
      [259, SHORT, [level.compression]],
      [262, SHORT, [level.photometric]],
      [270, ASCII, Buffer.from(description)],
      [277, SHORT, [3]],
      [284, SHORT, [1]],
      [322, LONG, [level.tileWidth]],
      [323, LONG, [level.tileHeight]],
      [324, LONG8, Buffer.from(offsets.buffer)],
      [325, LONG, Buffer.from(counts.buffer)],
      ...(level.jpegTables ? [[347, UNDEFINED, Buffer.from(level.jpegTables)]] : []),
    ]);
    await output.write(directory, 0, directory.length, position);
    const header = Buffer.alloc(16);
    header.write('II', 0);
    header.writeUInt16LE(43, 2);
    header.writeUInt16LE(8, 4);
    header.writeBigUInt64LE(BigInt(position), 8);
    await output.write(header, 0, 16, 0);
    return { width, height, bytes: position + directory.length };
  } finally {
    await input.close();
    await output.close();
  }
}

/** A BigTIFF directory at a position, followed by the values that do not fit its entries. */
function encodeDirectory(position, entries) {
  const sizes = { [SHORT]: 2, [LONG]: 4, [LONG8]: 8, [UNDEFINED]: 1, [ASCII]: 1 };
  const head = Buffer.alloc(8 + entries.length * 20 + 8);
  head.writeBigUInt64LE(BigInt(entries.length), 0);
  const values = [];
  let at = position + head.length;
  for (const [index, [tag, type, given]] of entries.entries()) {
    const bytes = Buffer.isBuffer(given) ? given : encodeNumbers(type, given);
    const entry = 8 + index * 20;
    head.writeUInt16LE(tag, entry);
    head.writeUInt16LE(type, entry + 2);
    head.writeBigUInt64LE(BigInt(bytes.length / sizes[type]), entry + 4);
    if (bytes.length <= 8) bytes.copy(head, entry + 12);
    else {
      head.writeBigUInt64LE(BigInt(at), entry + 12);
      values.push(bytes);
      at += bytes.length;
    }
  }
  return Buffer.concat([head, ...values]);
}

function encodeNumbers(type, numbers) {
  return Buffer.from((type === SHORT ? Uint16Array : Uint32Array).from(numbers).buffer);
}
