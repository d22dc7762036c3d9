import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { toStromaflowError } from '../errors.js';
import { makeFolder } from '../process/make-folder.js';
import type { PatchSink } from './evaluation.js';
import type { PatchScore } from './tally.js';

/** A scored patch as the report reads it back. */
export interface SpooledPatch extends PatchScore {
  /** Mask bits of the core; undefined for a patch that was dropped as empty. */
  readonly mask: Uint8Array | undefined;
}

/**
 * Scored patches on disk, a file of JSON lines an image, so that rows and pictures can be made after the run without
 * holding a set's masks in memory. Remove it when the report is written.
 */
export class PatchSpool implements PatchSink {
  readonly #folder: string;
  readonly #files = new Map<string, string>();
  /** Patches come side by side: the first one makes the folder, all wait for it. */
  #made: Promise<unknown> | undefined;

  /** @param folder is created when the first patch comes */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Images that have patches, in the order of their first. */
  get images(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** @throws OUTPUT_FULL, OUTPUT_FAILED */
  async append(image: string, patch: PatchScore, mask: Uint8Array | undefined): Promise<void> {
    const file = this.#files.get(image) ?? join(this.#folder, `${this.#files.size}.jsonl`);
    this.#files.set(image, file);
    const bits = mask && deflateRawSync(mask, { level: 1 }).toString('base64');
    try {
      this.#made ??= makeFolder(this.#folder);
      await this.#made;
      await appendFile(file, `${JSON.stringify({ ...patch, mask: bits })}\n`);
    } catch (error) {
      throw toStromaflowError(error, 'OUTPUT_FAILED', file);
    }
  }

  /** Patches of an image, row by row. */
  async read(image: string): Promise<SpooledPatch[]> {
    const file = this.#files.get(image);
    if (!file) return [];
    const lines = (await readFile(file, 'utf8')).split('\n').filter(line => line !== '');
    const patches = lines.map(line => {
      const { mask, ...patch } = JSON.parse(line) as PatchScore & { mask?: string };
      return {
        ...patch,
        mask: mask === undefined ? undefined : new Uint8Array(inflateRawSync(Buffer.from(mask, 'base64'))),
      };
    });
    return patches.sort((a, b) => a.row - b.row || a.col - b.col);
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
