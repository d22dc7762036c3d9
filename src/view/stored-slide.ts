import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PATCHES_FILE } from '../store/patches-jsonl.js';
import { keptThreshold } from '../store/probability-store.js';
import { SUMMARY_FILE } from '../store/slide-files.js';
import type { SlideSummary } from '../store/summary.js';
import { LARGEST_TABLE, PATCH_STATES, PatchTable } from './patch-table.js';
import type { TileThread } from './tile-thread.js';
import { ViewedSlide, type ViewedStatus } from './viewed-slide.js';

/** What a slide's folder says of one that ended; undefined where no whole summary lies there. */
export async function readStatus(folder: string): Promise<{ status: ViewedStatus; summary: SlideSummary } | undefined> {
  try {
    const path = join(folder, SUMMARY_FILE);
    const summary = JSON.parse(await readFile(path, 'utf8')) as SlideSummary;
    if (summary.schema !== 'stromaflow.summary.v1') return undefined;
    const { slide, state, revision, patches, tiles, area, iou, model, updatedAt, source, notes } = summary;
    const status: ViewedStatus = {
      ...{ slide, state, run: null, revision, patches, area, model, updatedAt },
      ...{ format: source.format, tiles: tiles ?? null, iou: iou ?? null, notes: notes ?? [] },
      ...{ patchesPerSecond: 0, etaSeconds: null, error: null },
    };
    return { status, summary };
  } catch {
    return undefined;
  }
}

/** Time of a folder's summary, which tells whether it was written anew; undefined where there is none. */
export async function summaryTime(folder: string): Promise<number | undefined> {
  return (await stat(join(folder, SUMMARY_FILE)).catch(() => undefined))?.mtimeMs;
}

/** A slide that an earlier start finished: its mask and what became of its patches; the slide itself is not at hand. */
export async function openStored(folder: string, tiles: TileThread): Promise<ViewedSlide | undefined> {
  const found = await readStatus(folder);
  if (!found) return undefined;
  const { status, summary } = found;
  const { source, plan, mpp } = summary;
  const { cols, rows, downsample, patchSize, margin } = plan;
  const table = cols * rows <= LARGEST_TABLE ? new PatchTable(cols, rows) : undefined;
  const lines = table ? await readFile(join(folder, PATCHES_FILE), 'utf8').catch(() => '') : '';
  for (const line of lines.split('\n')) {
    if (line === '') continue;
    const { outcome, ...record } = JSON.parse(line);
    if (PATCH_STATES.includes(outcome)) table?.set({ ...record, state: outcome });
  }
  const grid = { cols, rows, side: patchSize - 2 * margin, mpp, downsample };
  const { width, height } = source;
  const slide = new ViewedSlide({ ...status }, folder, tiles, { width, height, mpp: source.mpp, grid }, table);
  slide.keptThreshold = keptThreshold(folder);
  return slide;
}
