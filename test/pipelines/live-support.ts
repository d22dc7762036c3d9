import { createHash } from 'node:crypto';
import { copyFile, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of, take, toArray } from 'rxjs';
import sharp from 'sharp';
import { afterEach } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { Config } from '#src/config/options.js';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { type SimulateOptions, simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

export const opened: Parts[] = [];
const open = async (options: Partial<Config> & { out: string }) => {
  const parts = await partsWith({ poll: 0.1, settle: 0.3, ...options });
  opened.push(parts);
  return recording(parts);
};
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
});

/** Bytes of a slide's mask: every file of the OME-Zarr label, by name. */
export async function maskOf(out: string, id: string): Promise<Record<string, string>> {
  const root = join(out, id, 'mask.ome.zarr');
  const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile());
  const hashes = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    const bytes = await readFile(path);
    return [path.slice(root.length), createHash('sha256').update(bytes).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(hashes));
}

const finished = new Map<string, Promise<Record<string, string>>>();

/** The mask of a slide that is segmented when it is finished; made once. */
export function finishedMask(slide: string, id: string, mpp?: number): Promise<Record<string, string>> {
  const key = `${slide} ${id} ${mpp}`;
  const known = finished.get(key);
  if (known) return known;
  const made = segmentFinished(slide, id, mpp).then(({ mask }) => mask);
  finished.set(key, made);
  return made;
}

/** Segments a slide that is finished, as the command does. */
export async function segmentFinished(
  slide: string,
  id: string,
  mpp?: number,
  out?: string,
  config: Partial<Config> = {},
): Promise<{ mask: Record<string, string>; result: SlideResult }> {
  const folder = out ?? (await emptyFolder());
  const { parts } = await open({ out: folder, ...config });
  const task = { path: slide, id, open: () => openSlide(slide, { id, mpp }) };
  const result = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
  await parts.close();
  return { mask: await maskOf(folder, id), result };
}

interface Watched {
  readonly results: readonly SlideResult[];
  readonly events: readonly BusEvent[];
  readonly out: string;
  readonly folder: string;
}

/** Watches a folder until so many slides have a result; with 0, until it has been acted upon. */
export async function watchFor(
  results: number,
  given: { folder?: string; out?: string; config?: Partial<Config> },
  act: (folder: string, signal: AbortSignal) => Promise<unknown>,
): Promise<Watched> {
  const folder = given.folder ?? (await emptyFolder());
  const out = given.out ?? (await emptyFolder());
  const { parts, events } = await open({ out, ...given.config });
  const abort = new AbortController();
  const watching = lastValueFrom(segmentLive(folder, parts, abort.signal).pipe(take(results || Infinity), toArray()));
  try {
    await act(folder, abort.signal);
    if (results === 0) abort.abort();
    return { folder, out, events, results: await watching };
  } finally {
    abort.abort();
    await parts.close();
  }
}

export const kinds = (events: readonly BusEvent[]) =>
  events.flatMap(event => decodeEvent(event) ?? []).map(event => (event.kind === 'slide' ? event.state : event.kind));

export const masks = (events: readonly BusEvent[]) =>
  events.filter(({ type }) => type === 'stromaflow.mask.v1').map(({ id }) => id);

export const scan = (options: Partial<SimulateOptions>) => (folder: string, signal: AbortSignal) =>
  simulateScan(SLIDE, folder, { as: 'growing-tiff', order: 'rows', rate: 0, signal, ...options });

const pyramids = new Map<number, Promise<string>>();

/**
 * The slide with halves down to one tile, so that a finished one is looked at through a coarser level first; made once.
 *
 * @param mpp of its finest level, in µm.
 */
export function pyramid(mpp: number): Promise<string> {
  const made = pyramids.get(mpp) ?? makePyramid(mpp);
  pyramids.set(mpp, made);
  return made;
}

async function makePyramid(mpp: number): Promise<string> {
  const path = join(await emptyFolder(), 'pyramid.tiff');
  const tile = {
    tile: true,
    tileWidth: 256,
    tileHeight: 256,
    pyramid: true,
    compression: 'jpeg',
    quality: 90,
  } as const;
  const resolution = 1000 / mpp;
  await sharp(SLIDE, { page: 0 })
    .tiff({ ...tile, resolutionUnit: 'cm', xres: resolution, yres: resolution })
    .toFile(path);
  return path;
}

/** Puts a file there in one step. */
export async function deliver(from: string, folder: string, name: string): Promise<void> {
  await copyFile(from, join(folder, `.${name}.part`));
  await rename(join(folder, `.${name}.part`), join(folder, name));
}

/** Resolves when an event of this kind, or of a slide in this state, is on the bus of the parts that were opened last. */
export async function happened(kind: string, signal: AbortSignal): Promise<void> {
  for await (const event of opened.at(-1)!.bus.subscribe('stroma.v1.>', signal)) if (kinds([event])[0] === kind) return;
  throw new Error(`${kind} did not happen`);
}
