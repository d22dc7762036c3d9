import { type FileHandle, open } from 'node:fs/promises';
import type { TilePlace } from './scan-writer.js';
import type { SourceSlide } from './source.js';
import { emptyTable, encodeDirectory, even, headerBytes, type TileTable } from './tiff-directory.js';

/** Classic TIFF ends at 4 GiB; some room is left for what is written twice. */
const CLASSIC_LIMIT = 0xf000_0000;

/** Bytes of all tiles that will be written, and of all levels' directories. */
export function tiffBytes(source: SourceSlide, steps: readonly TilePlace[]): { tiles: number; directories: number } {
  const tiles = steps.reduce((sum, { level, col, row }) => {
    const { byteCounts, cols } = source.levels[level]!;
    return sum + byteCounts[row * cols + col]!;
  }, 0);
  const directories = source.levels.reduce(
    (end, level) => even(end + encodeDirectory(true, 0, level, emptyTable(level), 0).bytes.length),
    0,
  );
  return { tiles, directories };
}

/** A TIFF under way: tiles are put at its end, and the tables say where. */
export class TiffFile {
  readonly big: boolean;
  readonly tables: readonly TileTable[];
  /** Where the next bytes go. */
  end: number;
  readonly #file: FileHandle;
  readonly #source: SourceSlide;

  private constructor(file: FileHandle, source: SourceSlide, big: boolean) {
    this.#file = file;
    this.#source = source;
    this.big = big;
    this.end = headerBytes(big);
    this.tables = source.levels.map(emptyTable);
  }

  static async create(path: string, source: SourceSlide, steps: readonly TilePlace[]): Promise<TiffFile> {
    const { tiles, directories } = tiffBytes(source, steps);
    const big = source.big || tiles + 2 * directories > CLASSIC_LIMIT;
    return new TiffFile(await open(path, 'w'), source, big);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  /** Appends a tile and notes where it lies; returns its index in the level. */
  async append({ level, col, row }: TilePlace, bytes: Uint8Array): Promise<number> {
    const index = row * this.#source.levels[level]!.cols + col;
    await this.write(bytes, this.end);
    const { offsets, byteCounts } = this.tables[level]!;
    offsets[index] = this.end;
    byteCounts[index] = bytes.length;
    this.end += bytes.length;
    return index;
  }

  /** Makes the file `size` bytes long; what is new reads as zeros. */
  resize(size: number): Promise<void> {
    return this.#file.truncate(size);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
