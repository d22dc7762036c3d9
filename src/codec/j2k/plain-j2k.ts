import { instantiate, reach, type WasmMemory } from '../wasm.js';
import { type Band, type Block, bandsOf, resetBands, sameBands } from './bands.js';
import { readPackets } from './packets.js';
import { type PlainHeader, readPlainHeader } from './plain-header.js';
import { PLAIN_WASM } from './plain-wasm.js';

/** plain.as has their parameters. Addresses are bytes. */
interface Kernels {
  heapStart(): number;
  clear(at: number, bytes: number): void;
  decodeBlock(
    from: number,
    length: number,
    width: number,
    height: number,
    orientation: number,
    planes: number,
    passes: number,
    step: number,
    to: number,
    pitch: number,
  ): void;
  inverse(
    plane: number,
    pitch: number,
    width: number,
    height: number,
    levels: number,
    whole: boolean,
    room: number,
  ): void;
  toRgb(
    first: number,
    second: number,
    third: number,
    pitch: number,
    width: number,
    height: number,
    whole: boolean,
    transformed: boolean,
    yCbCr: boolean,
    room: number,
    to: number,
  ): void;
}

const COMPONENTS = 3;

/** Size of each component in samples. */
function componentSizes({ width, height, chroma: [across, down] }: PlainHeader): { width: number; height: number }[] {
  const chroma = { width: Math.ceil(width / across), height: Math.ceil(height / down) };
  return [{ width, height }, chroma, chroma];
}

/** Fills a plane by repeating the samples in its upper left, as OpenSlide does: from the end, so that none is lost. */
function repeat(
  memory: WasmMemory,
  plane: number,
  pitch: number,
  { width, height, chroma: [across, down] }: PlainHeader,
): void {
  const samples = new Int32Array(memory.buffer, plane, (pitch * height) / 4);
  const row = pitch / 4;
  for (let y = height - 1; y >= 0; y--) {
    const from = Math.floor(y / down) * row;
    for (let x = width - 1; x >= 0; x--) samples[y * row + x] = samples[from + Math.floor(x / across)] as number;
  }
}
const SLACK = 256;
const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/**
 * Decodes JPEG 2000 as slides have it, in WebAssembly with SIMD: what OpenJPEG gives, to a rounding of the colour transform.
 * One a thread is enough: it keeps nothing but memory and how the last picture was cut.
 */
export class PlainJ2k {
  readonly #kernels = instantiate<Kernels>(PLAIN_WASM);
  #last: { readonly header: PlainHeader; readonly components: readonly Band[][][] } | undefined;

  /**
   * @param yCbCr the components, after a transform of the stream's own, are YCbCr as of JFIF.
   * @param into width × height × 3 bytes.
   * @returns false where the stream is of another kind or not sound; `into` is then unchanged.
   */
  decode(stream: Buffer, yCbCr: boolean, into: Uint8Array): boolean {
    const header = readPlainHeader(stream);
    if (!header) return false;
    const { width, height, levels, whole, transformed } = header;
    const bytes = width * height * 3;
    if (into.length < bytes) return false;
    const components = this.#componentsOf(header);
    if (!readPackets(stream, header, components)) return false;
    const kernels = this.#kernels;
    const pitch = align(width * 4) + 64;
    const planeBytes = align(pitch * height) + SLACK;
    const planes = kernels.heapStart();
    const input = planes + planeBytes * COMPONENTS;
    const room = input + align(stream.length) + SLACK;
    const rgb = room + align(Math.max(width, height) * 80 + 512);
    reach(kernels.memory, rgb + bytes + SLACK);
    kernels.clear(planes, planeBytes * COMPONENTS);
    const memory = new Uint8Array(kernels.memory.buffer);
    const sizes = componentSizes(header);
    for (const [index, resolutions] of components.entries()) {
      const size = sizes[index]!;
      const plane = planes + index * planeBytes;
      for (const bands of resolutions)
        for (const band of bands)
          for (const block of band.blocks)
            if (block.passes > 0) this.#decodeBlock(stream, memory, input, band, block, whole, plane, pitch);
      kernels.inverse(plane, pitch, size.width, size.height, levels, whole, room);
      if (size.width < width || size.height < height) repeat(kernels.memory, plane, pitch, header);
    }
    const [first, second, third] = [planes, planes + planeBytes, planes + planeBytes * 2];
    kernels.toRgb(first, second, third, pitch, width, height, whole, transformed, yCbCr, room, rgb);
    into.set(memory.subarray(rgb, rgb + bytes));
    return true;
  }

  #componentsOf(header: PlainHeader): readonly Band[][][] {
    if (this.#last && sameBands(this.#last.header, header)) this.#last.components.forEach(resetBands);
    else this.#last = { header, components: componentSizes(header).map(size => bandsOf({ ...header, ...size })) };
    return this.#last.components;
  }

  #decodeBlock(
    stream: Buffer,
    memory: Uint8Array,
    input: number,
    { orientation, step }: Band,
    { chunks, width, height, planes, passes, x, y }: Block,
    whole: boolean,
    plane: number,
    pitch: number,
  ): void {
    let length = 0;
    for (let i = 0; i < chunks.length; i += 2) {
      const at = chunks[i]!;
      const bytes = chunks[i + 1]!;
      memory.set(stream.subarray(at, at + bytes), input + length);
      length += bytes;
    }
    memory[input + length] = 0xff;
    memory[input + length + 1] = 0xff;
    const to = plane + y * pitch + x * 4;
    // Magnitudes have a bit below one, for the middle of what is not coded.
    const scale = whole ? 0 : step / 2;
    this.#kernels.decodeBlock(input, length, width, height, orientation, planes, passes, scale, to, pitch);
  }
}
