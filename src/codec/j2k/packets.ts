import { type Band, type Block, MAX_PLANES } from './bands.js';
import type { PlainHeader } from './plain-header.js';

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
        const included = block.passes > 0 ? reader.bit() === 1 : band.inclusion.isBelow(index, layer + 1, reader.bit);
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
