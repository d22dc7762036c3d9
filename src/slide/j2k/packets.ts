import type { PlainHeader } from './plain-header.js';
import { TagTree } from './tag-tree.js';

/** A code-block: where it goes, and what the packets said of it so far. Sizes and places are samples of the plane. */
export interface Block {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Bit-planes that are coded; set with its first passes. */
  planes: number;
  passes: number;
  /** Bits in which lengths are given, less those for the passes. */
  lengthBits: number;
  /** Its bytes: pairs of place in the stream and length. */
  readonly chunks: number[];
}

/** Coefficients of one orientation (0 LL, 1 HL, 2 LH, 3 HH) at one resolution. */
export interface Band {
  readonly orientation: number;
  /** Bit-planes, the most that a block can have. */
  readonly planes: number;
  /** What a coefficient is multiplied with, for the 9-7 transform. */
  readonly step: number;
  readonly blocks: Block[];
  readonly inclusion: TagTree;
  readonly emptyPlanes: TagTree;
}

/** More bit-planes than this do not fit the numbers they are decoded to. */
const MAX_PLANES = 30;

/** Bands of one component, by resolution. */
export function bandsOf(header: PlainHeader): Band[][] {
  const { levels, width, height, quantisers, guardBits } = header;
  const half = (size: number, level: number) => Math.ceil(size / 2 ** level);
  return Array.from({ length: levels + 1 }, (_, resolution) => {
    const lowWidth = half(width, levels - resolution + (resolution > 0 ? 1 : 0));
    const lowHeight = half(height, levels - resolution + (resolution > 0 ? 1 : 0));
    const band = (orientation: number, index: number): Band => {
      const { exponent, mantissa } = quantisers[index]!;
      const x = orientation & 1 ? lowWidth : 0;
      const y = orientation & 2 ? lowHeight : 0;
      const across = orientation & 1 ? half(width, levels - resolution) - lowWidth : lowWidth;
      const down = orientation & 2 ? half(height, levels - resolution) - lowHeight : lowHeight;
      const cols = down > 0 ? Math.ceil(across / header.blockWidth) : 0;
      const rows = across > 0 ? Math.ceil(down / header.blockHeight) : 0;
      return {
        orientation,
        planes: exponent + guardBits - 1,
        step: (1 + mantissa / 2048) * 2 ** (8 - exponent),
        blocks: blocksOf(header, x, y, across, down, cols, rows),
        inclusion: new TagTree(cols, rows),
        emptyPlanes: new TagTree(cols, rows),
      };
    };
    return resolution === 0 ? [band(0, 0)] : [1, 2, 3].map(i => band(i, 3 * (resolution - 1) + i));
  });
}

function blocksOf(
  { blockWidth, blockHeight }: PlainHeader,
  x: number,
  y: number,
  across: number,
  down: number,
  cols: number,
  rows: number,
): Block[] {
  return Array.from({ length: cols * rows }, (_, i) => {
    const left = (i % cols) * blockWidth;
    const top = Math.floor(i / cols) * blockHeight;
    return {
      x: x + left,
      y: y + top,
      width: Math.min(blockWidth, across - left),
      height: Math.min(blockHeight, down - top),
      planes: 0,
      passes: 0,
      lengthBits: 3,
      chunks: [],
    };
  });
}

/** Reads bits of packet headers: after a byte of ones, the next has seven (annex B.10.1). */
class BitReader {
  readonly #stream: Buffer;
  readonly #end: number;
  at: number;
  #byte = 0;
  #left = 0;
  /** Read past the end. */
  failed = false;

  constructor(stream: Buffer, at: number, end: number) {
    this.#stream = stream;
    this.#end = end;
    this.at = at;
  }

  readonly bit = (): number => {
    if (this.#left === 0) {
      this.#left = this.#byte === 0xff ? 7 : 8;
      if (this.at >= this.#end) this.failed = true;
      this.#byte = this.failed ? 0 : this.#stream[this.at++]!;
      // What follows a byte of ones starts with a zero.
      if (this.#left === 7 && this.#byte > 0x7f) this.failed = true;
    }
    return (this.#byte >> --this.#left) & 1;
  };

  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.bit();
    return value;
  }

  /** Ends at a byte. */
  align(): void {
    this.#left = 0;
    if (this.#byte === 0xff) this.bit();
    this.#left = 0;
    this.#byte = 0;
  }
}

/**
 * Reads all packets (annex B): which bytes belong to which block. There is one precinct a resolution, so that the five
 * progressions differ only in how layers, resolutions and components are nested.
 *
 * @returns false where the packets do not fit the stream to the byte.
 */
export function readPackets(stream: Buffer, header: PlainHeader, components: readonly Band[][][]): boolean {
  let at = header.start;
  for (const { l: layer, r: resolution, c: component } of packetOrder(header, components.length)) {
    at = readPacket(stream, at, header.end, layer, components[component]![resolution]!);
    if (at < 0) return false;
  }
  return at === header.end;
}

/** Layer, resolution and component. */
interface Place {
  l: number;
  r: number;
  c: number;
}

function* packetOrder({ progression, layers, levels }: PlainHeader, components: number): Generator<Place, void> {
  const sizes: Place = { l: layers, r: levels + 1, c: components };
  const [outer, middle, inner] = (['lrc', 'rlc', 'rcl', 'crl', 'crl'] as const)[progression]!.split('') as [
    keyof Place,
    keyof Place,
    keyof Place,
  ];
  const place: Place = { l: 0, r: 0, c: 0 };
  for (place[outer] = 0; place[outer] < sizes[outer]; place[outer]++)
    for (place[middle] = 0; place[middle] < sizes[middle]; place[middle]++)
      for (place[inner] = 0; place[inner] < sizes[inner]; place[inner]++) yield place;
}

/** Where the packet ends, or −1. */
function readPacket(stream: Buffer, start: number, end: number, layer: number, bands: readonly Band[]): number {
  const reader = new BitReader(stream, start, end);
  const bodies: [Block, number][] = [];
  if (reader.bit() === 1)
    for (const band of bands)
      for (const [index, block] of band.blocks.entries()) {
        const included =
          block.passes > 0 ? reader.bit() === 1 : band.inclusion.isBelow(index, layer + 1, reader.bit);
        if (!included) continue;
        if (block.passes === 0) {
          let empty = 0;
          while (!band.emptyPlanes.isBelow(index, empty + 1, reader.bit)) if (++empty > band.planes) return -1;
          block.planes = band.planes - empty;
        }
        const passes = readPasses(reader);
        block.passes += passes;
        while (reader.bit() === 1) if (++block.lengthBits > 32) return -1;
        if (block.planes > MAX_PLANES || block.passes > block.planes * 3 - 2) return -1;
        bodies.push([block, reader.bits(block.lengthBits + Math.floor(Math.log2(passes)))]);
      }
  reader.align();
  if (reader.failed) return -1;
  let { at } = reader;
  for (const [block, length] of bodies) {
    if (at + length > end) return -1;
    block.chunks.push(at, length);
    at += length;
  }
  return at;
}

/** Table B.4. */
function readPasses(reader: BitReader): number {
  if (reader.bit() === 0) return 1;
  if (reader.bit() === 0) return 2;
  const few = reader.bits(2);
  if (few < 3) return 3 + few;
  const some = reader.bits(5);
  return some < 31 ? 6 + some : 37 + reader.bits(7);
}
