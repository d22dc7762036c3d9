import type { Dirent } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PatchRecord } from '../read/patch.js';
import { PATCHES_FILE } from './patches-jsonl.js';
import { SUMMARY_FILE } from './slide-files.js';
import type { SlideSummary } from './summary.js';

/** What was written of a slide that is over. */
export type StoredPatch = Pick<PatchRecord, 'col' | 'row' | 'outcome' | 'stromaPixels' | 'validPixels'>;

/**
 * The summaries in an output folder, the newest first. What cannot be read, or is the summary of another slide than its folder's, is
 * left out.
 *
 * @param out the folder of all results; one that is not there has none
 * @param most so many of them
 */
export async function finishedSlides(out: string, most: number): Promise<SlideSummary[]> {
  const entries = await readdir(out, { withFileTypes: true }).catch((): Dirent[] => []);
  const found: { readonly slide: string; readonly writtenMs: number }[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    const facts = await stat(join(out, entry.name, SUMMARY_FILE)).catch(() => undefined);
    if (facts?.isFile()) found.push({ slide: entry.name, writtenMs: facts.mtimeMs });
  }
  found.sort((a, b) => b.writtenMs - a.writtenMs);
  const summaries: SlideSummary[] = [];
  for (const { slide } of found) {
    if (summaries.length === most) break;
    const summary = await readSummary(join(out, slide));
    if (summary?.slide === slide) summaries.push(summary);
  }
  return summaries;
}

/** A slide's summary.json; undefined of one that is not there, or cannot be understood. */
export async function readSummary(folder: string): Promise<SlideSummary | undefined> {
  try {
    const summary = JSON.parse(await readFile(join(folder, SUMMARY_FILE), 'utf8'));
    return isSummary(summary) ? summary : undefined;
  } catch {
    return undefined;
  }
}

/** Somebody may have edited it. */
const isSummary = (value: Partial<SlideSummary> | null): value is SlideSummary =>
  value?.schema === 'stromaflow.summary.v1' &&
  [value.patches, value.area, value.plan, value.timings].every(part => typeof part === 'object' && part !== null) &&
  Number.isFinite(value.revision) &&
  Number.isFinite(Date.parse(String(value.updatedAt)));

/** The patches of a slide that is over, line by line. @throws the system's error, SyntaxError */
export async function* storedPatches(folder: string): AsyncGenerator<StoredPatch> {
  const file = await open(join(folder, PATCHES_FILE));
  try {
    for await (const line of file.readLines()) yield JSON.parse(line) as StoredPatch;
  } finally {
    await file.close();
  }
}
