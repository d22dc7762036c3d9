import { instantiate, reach } from '../wasm.js';
import { type ExactHeader, readExactHeader } from './exact-header.js';
import { EXACT_WASM } from './exact-wasm.js';

/** exact.as has their parameters. Addresses are bytes. */
interface Kernels {
  heapStart(): number;
  margin(): number;
  setHuffman(slot: number, counts: number): number;
  setQuantisers(slot: number, from: number, bytes: number): void;
  setComponent(...part: readonly number[]): void;
  decodeScan(
    parts: number,
    across: number,
    mcus: number,
    interval: number,
    from: number,
    end: number,
    top: number,
  ): number;
  toRgb(parts: number, width: number, height: number, yCbCr: number, room: number, to: number): void;
}

/** Room below the bytes of a scan, for a damaged one that wants more of them. */
const SCAN_SLACK = 4096;

/** Past every area: kernels work on 16 pixels at a time. */
const SLACK = 64;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/**
 * Decodes baseline JPEG to the very pixels that libjpeg gives with its accurate inverse DCT and smooth upsampling, in
 * WebAssembly. One a thread is enough: it keeps nothing but memory and the tables it saw last.
 */
export class ExactJpeg {
  readonly #kernels = instantiate<Kernels>(EXACT_WASM);
  /** Tables that are set, by slot. */
  readonly #tables: (Buffer | undefined)[] = [];

  /**
   * @param into width × height × 3 bytes.
   * @returns false where the stream is of another kind or not sound; `into` is then unchanged.
   */
  decode(stream: Buffer, into: Uint8Array): boolean {
    const header = readExactHeader(stream);
    if (!header || into.length < header.width * header.height * 3) return false;
    const kernels = this.#kernels;
    const input = kernels.heapStart();
    const top = input + align(stream.length) + SCAN_SLACK + stream.length;
    const { planes, end } = this.#layOut(header, align(top + SLACK));
    const bytes = header.width * header.height * 3;
    const room = end;
    const rgb = room + align((header.width * 4 + 512) * 2);
    reach(kernels.memory, rgb + bytes + SLACK);
    const memory = new Uint8Array(kernels.memory.buffer);
    memory.set(stream, input);
    if (!this.#setTables(header, stream, input)) return false;
    for (const [index, { across, down, dc, ac, quantiser }] of header.components.entries()) {
      const { at, stride } = planes[index]!;
      kernels.setComponent(index, across, down, dc, ac, quantiser, at, stride);
    }
    const { components, width, height, interval, yCbCr } = header;
    const { cols, rows } = mcusOf(header);
    const from = input + header.scanAt;
    const after = kernels.decodeScan(components.length, cols, cols * rows, interval, from, input + stream.length, top);
    // Anything but the end of the image here is another scan, or damage.
    if (after === 0 || memory[after + 1] !== 0xd9) return false;
    kernels.toRgb(components.length, width, height, yCbCr ? 1 : 0, room, rgb);
    into.set(memory.subarray(rgb, rgb + bytes));
    return true;
  }

  /** Places of the planes' samples. */
  #layOut(header: ExactHeader, from: number): { planes: { at: number; stride: number }[]; end: number } {
    const margin = this.#kernels.margin();
    const { cols, rows } = mcusOf(header);
    let end = from;
    const planes = header.components.map(({ across, down }) => {
      const stride = align(cols * across * 8 + margin * 2);
      const at = end + margin;
      end += stride * rows * down * 8 + SLACK;
      return { at, stride };
    });
    return { planes, end: align(end) };
  }

  /** Slides have the same tables in all their tiles, so most are set already. */
  #setTables({ components, huffman, quantisers }: ExactHeader, stream: Buffer, input: number): boolean {
    for (const slot of new Set(components.flatMap(({ dc, ac }) => [dc, 4 + ac]))) {
      const table = huffman.get(slot);
      if (!table) return false;
      const bytes = stream.subarray(table.at, table.at + table.length);
      if (this.#tables[slot]?.equals(bytes)) continue;
      this.#tables[slot] = undefined;
      if (!this.#kernels.setHuffman(slot, input + table.at)) return false;
      this.#tables[slot] = Buffer.from(bytes);
    }
    for (const slot of new Set(components.map(({ quantiser }) => quantiser))) {
      const table = quantisers.get(slot);
      if (!table) return false;
      this.#kernels.setQuantisers(slot, input + table.at, table.bytes);
    }
    return true;
  }
}

/** The grid of MCUs: squares of blocks that the scan holds one after the other. */
function mcusOf({ width, height, components }: ExactHeader): { cols: number; rows: number } {
  const { across, down } = components[0]!;
  return { cols: Math.ceil(width / (across * 8)), rows: Math.ceil(height / (down * 8)) };
}
