import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync, gunzipSync, inflateSync } from 'node:zlib';
import { packBits } from '../mask/bits.js';
import type { MaskPyramid } from '../mask/reduce.js';
import { RunGzip } from '../mask/run-gzip.js';
import type { PatchPlan } from '../read/patch.js';
import { PARTIAL, withOutputErrors, writeFinal } from './final-file.js';
import {
  chunkKey,
  metadataFiles,
  type OmeZarrVersion,
  type StoredLevel,
  type StoreLayout,
  storedLevels,
} from './zarr-metadata.js';

export const MASK_STORE = 'mask.ome.zarr';

/** What is stored of a mask, for whoever writes it in another form. */
export interface StoredMask {
  readonly levels: readonly StoredLevel[];
  /** A patch at a resolution, chunk × chunk bytes of 0 or 1; undefined where it is clear. */
  raster(level: StoredLevel, col: number, row: number): Uint8Array | undefined;
  /** Whether any pixel of it is set. */
  has(level: StoredLevel, col: number, row: number): boolean;
}

/**
 * The mask as an OME-Zarr label image, written patch by patch: a patch is one chunk at every resolution, so its
 * cost does not depend on the slide. A chunk is written under another name and renamed, and metadata is complete from
 * the start: the store is valid whenever somebody looks. Chunks without stroma are not written.
 *
 * File access is synchronous: it runs in a thread of its own, where it costs a tenth of the asynchronous calls.
 */
export class MaskStore implements StoredMask {
  readonly levels: readonly StoredLevel[];
  readonly #root: string;
  readonly #partial: string;
  readonly #plan: PatchPlan;
  readonly #layout: StoreLayout;
  readonly #folders = new Set<string>();
  readonly #gzip: RunGzip;

  /**
   * Opens or makes `<folder>/mask.ome.zarr`; `fresh` drops what is there. A store that is gone on with keeps the layout it began
   * with, another version's included. Throws OUTPUT_FULL or OUTPUT_FAILED.
   */
  constructor(folder: string, name: string, plan: PatchPlan, fresh: boolean, version: OmeZarrVersion = '0.4') {
    this.#root = join(folder, MASK_STORE);
    this.#partial = join(folder, PARTIAL, 'chunk');
    this.#plan = plan;
    this.levels = storedLevels(plan);
    this.#gzip = new RunGzip(plan.core ** 2);
    withOutputErrors(this.#root, () => {
      if (fresh) rmSync(this.#root, { recursive: true, force: true });
      mkdirSync(dirname(this.#partial), { recursive: true });
      mkdirSync(this.#root, { recursive: true });
    });
    this.#layout = layoutIn(this.#root) ?? { version, codec: 'gzip' };
    this.#writeMetadata(name);
  }

  get version(): OmeZarrVersion {
    return this.#layout.version;
  }

  #writeMetadata(name: string): void {
    const put = (file: string, json: object): void =>
      writeFinal(this.#root, file, write => write(`${JSON.stringify(json, null, 2)}\n`), dirname(this.#partial));
    for (const level of this.levels)
      withOutputErrors(this.#root, () => mkdirSync(join(this.#root, level.path), { recursive: true }));
    for (const [file, json] of metadataFiles(this.#layout, name, this.#plan, this.levels)) put(file, json);
  }

  /** Writes a patch's mask at all resolutions; `pyramid` has as many. Writing it again replaces it. */
  write(col: number, row: number, pyramid: MaskPyramid): void {
    for (const [k, level] of this.levels.entries()) this.#writeChunk(level, col, row, pyramid.raster(k));
  }

  /** Makes a patch all clear. */
  remove(col: number, row: number): void {
    for (const level of this.levels) {
      const path = this.#chunkPath(level, col, row);
      withOutputErrors(path, () => rmSync(path, { force: true }));
    }
  }

  /** See readMask. */
  read(col: number, row: number): Uint8Array | undefined {
    return readChunk(this.#root, this.#chunkPath(this.levels[0]!, col, row), this.#layout, this.#plan.core);
  }

  has(level: StoredLevel, col: number, row: number): boolean {
    return existsSync(this.#chunkPath(level, col, row));
  }

  raster(level: StoredLevel, col: number, row: number): Uint8Array | undefined {
    const path = this.#chunkPath(level, col, row);
    return withOutputErrors(path, () => {
      let packed: Uint8Array;
      try {
        packed = readFileSync(path);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      const unpack = this.#layout.codec === 'gzip' ? gunzipSync : inflateSync;
      return unpack(packed, { maxOutputLength: level.chunk ** 2 });
    });
  }

  #chunkPath(level: StoredLevel, col: number, row: number): string {
    return join(this.#root, level.path, chunkKey(this.#layout, col, row));
  }

  #writeChunk(level: StoredLevel, col: number, row: number, bytes: Uint8Array): void {
    const path = this.#chunkPath(level, col, row);
    withOutputErrors(path, () => {
      if (!bytes.includes(1)) {
        rmSync(path, { force: true });
        return;
      }
      const folder = dirname(path);
      if (!this.#folders.has(folder)) mkdirSync(folder, { recursive: true });
      this.#folders.add(folder);
      writeFileSync(
        this.#partial,
        this.#layout.codec === 'gzip' ? this.#gzip.pack(bytes) : deflateSync(bytes, { level: 1 }),
      );
      renameSync(this.#partial, path);
    });
  }
}

/**
 * The stored mask of a patch as bits; all clear where no chunk is stored, undefined where it is damaged or there is no store. Throws
 * OUTPUT_FAILED where it cannot be read.
 */
export function readMask(folder: string, plan: PatchPlan, col: number, row: number): Uint8Array | undefined {
  const root = join(folder, MASK_STORE);
  const layout = layoutIn(root);
  if (!layout) return undefined;
  return readChunk(root, join(root, storedLevels(plan)[0]!.path, chunkKey(layout, col, row)), layout, plan.core);
}

function readChunk(root: string, path: string, { codec }: StoreLayout, core: number): Uint8Array | undefined {
  let packed: Uint8Array;
  try {
    packed = readFileSync(path);
  } catch (error) {
    if (isMissing(error)) return packBits(new Uint8Array(core ** 2), core, core);
    return withOutputErrors(root, () => {
      throw error;
    });
  }
  try {
    const unpack = codec === 'gzip' ? gunzipSync : inflateSync;
    const bytes = unpack(packed, { maxOutputLength: core ** 2 });
    return bytes.length === core ** 2 ? packBits(bytes, core, core) : undefined;
  } catch {
    return undefined;
  }
}

/** How a store that is there was begun; undefined where none is, or nothing of it can be read. */
export function layoutIn(root: string): StoreLayout | undefined {
  if (readJson(join(root, '0/zarr.json'))) return { version: '0.5', codec: 'gzip' };
  const array = readJson(join(root, '0/.zarray')) as { compressor?: { id?: unknown } } | undefined;
  return array && { version: '0.4', codec: array.compressor?.id === 'zlib' ? 'zlib' : 'gzip' };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
