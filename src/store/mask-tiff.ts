import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { constants, deflateSync } from 'node:zlib';
import { StromaflowError } from '../errors.js';
import type { PatchPlan } from '../read/patch.js';
import { VERSION } from '../version.js';
import { PARTIAL, withOutputErrors, writeFinal } from './final-file.js';
import type { StoredMask } from './zarr.js';
import type { StoredLevel } from './zarr-metadata.js';

export const MASK_TIFF = 'mask.tif';

/** What TIGER calls tumour-associated stroma; everything else is 0 (tiger.grand-challenge.org, Data). */
const STROMA = 2;

/** Sides of tiles are multiples of it (TIFF 6.0, section 15). */
const TILE_STEP = 16;

const [SHORT, LONG, RATIONAL, ASCII] = [3, 4, 5, 2];
/** Bytes of a value by its type. */
const SIZES: Readonly<Record<number, number>> = { [ASCII]: 1, [SHORT]: 2, [LONG]: 4, [RATIONAL]: 8 };
const DEFLATE = 8;
const CENTIMETRE = 3;

/** Offsets have 32 bits. */
const MOST_BYTES = 2 ** 32 - 2 ** 20;

type Tag = readonly [tag: number, type: number, values: readonly number[]];

/**
 * Writes the mask as a tiled, pyramidal TIFF of 8 bits, 2 where there is stroma: what TIGER asks for, and ASAP, QuPath and OpenSlide
 * open. Its pixels are the mask's, its spacing is the mask's. Tiles without stroma are one tile of the file.
 *
 * @throws OUTPUT_FULL, OUTPUT_FAILED; the latter also for masks of more than 4 GiB, packed.
 */
export function writeMaskTiff(folder: string, plan: PatchPlan, mask: StoredMask): void {
  const levels = mask.levels.filter(({ chunk }) => chunk % TILE_STEP === 0);
  const spool = new Spool(join(folder, PARTIAL, 'mask-tiles'));
  try {
    const stored = levels.map(level => storeTiles(level, mask, spool));
    writeFinal(folder, MASK_TIFF, put => {
      // Directories come first, for whoever reads a file from its start; where tiles lie has no bearing on their sizes.
      const at = (base: number, heads: readonly number[]) =>
        levels.map((level, i) => {
          const { offsets, counts } = stored[i]!;
          const moved = offsets.map(offset => offset + base);
          return directory(tags(plan, level, moved, counts), heads[i] ?? 0, heads[i + 1] ?? 0);
        });
      let end = HEADER_BYTES;
      const heads = at(0, []).map(({ length }) => {
        const head = end;
        end += length;
        return head;
      });
      if (end + spool.bytes > MOST_BYTES) throw new StromaflowError('OUTPUT_FAILED', `${MASK_TIFF}: more than 4 GiB`);
      const header = Buffer.from('II*\0\0\0\0\0', 'latin1');
      header.writeUInt32LE(heads[0]!, 4);
      put(header);
      for (const bytes of at(end, heads)) put(bytes);
      for (const bytes of spool.read()) put(bytes);
    });
  } finally {
    spool.remove();
  }
}

/** Where the tiles of one level lie in the spool. */
interface StoredTiles {
  readonly offsets: readonly number[];
  readonly counts: readonly number[];
}

function storeTiles(level: StoredLevel, mask: StoredMask, spool: Spool): StoredTiles {
  const [cols, rows] = [Math.ceil(level.width / level.chunk), Math.ceil(level.height / level.chunk)];
  const clear = pack(new Uint8Array(level.chunk ** 2));
  const clearAt = spool.append(clear);
  const [offsets, counts]: [number[], number[]] = [[], []];
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const raster = mask.raster(level, col, row);
      const tile = raster ? pack(raster) : clear;
      offsets.push(raster ? spool.append(tile) : clearAt);
      counts.push(tile.length);
    }
  return { offsets, counts };
}

/** Tiles on disk, one after the other on even places: memory does not grow with the mask. */
class Spool {
  readonly #path: string;
  readonly #file: number;
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = withOutputErrors(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      return openSync(path, 'w+');
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns where it lies. */
  append(tile: Uint8Array): number {
    const at = this.#bytes;
    withOutputErrors(this.#path, () => {
      for (let done = 0; done < tile.length; ) done += writeSync(this.#file, tile, done, tile.length - done, at + done);
    });
    this.#bytes += tile.length + (tile.length % 2);
    return at;
  }

  *read(): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < this.#bytes; at += PIECE) {
      const piece = Buffer.alloc(Math.min(PIECE, this.#bytes - at));
      readSync(this.#file, piece, 0, piece.length, at);
      yield piece;
    }
  }

  remove(): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }
}

const HEADER_BYTES = 8;
const PIECE = 1 << 20;

/** Runs of equal bytes: run lengths alone pack them better than matches, in less time. */
const pack = (raster: Uint8Array): Uint8Array =>
  deflateSync(
    raster.map(pixel => pixel * STROMA),
    { level: 1, strategy: constants.Z_RLE },
  );

function tags(
  plan: PatchPlan,
  { factor, width, height, chunk }: StoredLevel,
  offsets: readonly number[],
  counts: readonly number[],
): Tag[] {
  const perCentimetre = (mpp: number): readonly number[] => [Math.round((1e4 / (mpp * factor)) * 1e4), 1e4];
  return [
    [254, LONG, [factor === 1 ? 0 : 1]],
    [256, LONG, [width]],
    [257, LONG, [height]],
    [258, SHORT, [8]],
    [259, SHORT, [DEFLATE]],
    [262, SHORT, [1]],
    [277, SHORT, [1]],
    [282, RATIONAL, perCentimetre(plan.axes?.x ?? plan.mpp)],
    [283, RATIONAL, perCentimetre(plan.axes?.y ?? plan.mpp)],
    [284, SHORT, [1]],
    [296, SHORT, [CENTIMETRE]],
    [305, ASCII, [...Buffer.from(`Stromaflow ${VERSION}\0`, 'latin1')]],
    [322, LONG, [chunk]],
    [323, LONG, [chunk]],
    [324, LONG, offsets],
    [325, LONG, counts],
    [339, SHORT, [1]],
  ];
}

/** A directory and the values that do not fit into it, as they lie from `at` on. */
function directory(entries: readonly Tag[], at: number, next: number): Buffer {
  const head = Buffer.alloc(2 + entries.length * 12 + 4);
  head.writeUInt16LE(entries.length, 0);
  const values: Buffer[] = [];
  let valuesAt = at + head.length;
  for (const [i, [tag, type, numbers]] of entries.entries()) {
    const entry = 2 + i * 12;
    const bytes = valueBytes(type, numbers);
    head.writeUInt16LE(tag, entry);
    head.writeUInt16LE(type, entry + 2);
    head.writeUInt32LE(bytes.length / SIZES[type]!, entry + 4);
    if (bytes.length <= 4) {
      bytes.copy(head, entry + 8);
      continue;
    }
    head.writeUInt32LE(valuesAt, entry + 8);
    const padded = Buffer.concat([bytes, Buffer.alloc(bytes.length % 2)]);
    values.push(padded);
    valuesAt += padded.length;
  }
  head.writeUInt32LE(next, head.length - 4);
  return Buffer.concat([head, ...values]);
}

function valueBytes(type: number, numbers: readonly number[]): Buffer {
  if (type === ASCII) return Buffer.from(numbers);
  const width = type === SHORT ? 2 : 4;
  const bytes = Buffer.alloc(numbers.length * width);
  for (const [i, number] of numbers.entries())
    if (width === 2) bytes.writeUInt16LE(number, i * 2);
    else bytes.writeUInt32LE(number, i * 4);
  return bytes;
}
