import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of, take, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import type { Parts } from '#pipelines/parts.js';
import type { SlideResult } from '#pipelines/run-slide.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { Config } from '#src/config/options.js';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { type SimulateOptions, simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const opened: Parts[] = [];
const open = async (options: Partial<Config> & { out: string }) => {
  const parts = await partsWith({ poll: 0.1, settle: 0.3, ...options });
  opened.push(parts);
  return recording(parts);
};
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
});

/** Bytes of a slide's mask: every file of the OME-Zarr label, by name. */
async function maskOf(out: string, id: string): Promise<Record<string, string>> {
  const root = join(out, id, 'mask.ome.zarr');
  const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile());
  const hashes = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    const bytes = await readFile(path);
    return [path.slice(root.length), createHash('sha256').update(bytes).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(hashes));
}

async function segmented(slide: string, id: string): Promise<Record<string, string>> {
  const out = await emptyFolder();
  const { parts } = await open({ out });
  const task = { path: slide, id, open: () => openSlide(slide, { id }) };
  await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
  return maskOf(out, id);
}

interface Watched {
  readonly results: readonly SlideResult[];
  readonly events: readonly BusEvent[];
  readonly out: string;
  readonly folder: string;
}

/** Watches a folder until so many slides have a result. */
async function watchFor(
  results: number,
  given: { folder?: string; out?: string; config?: Partial<Config> },
  act: (folder: string, signal: AbortSignal) => Promise<unknown>,
): Promise<Watched> {
  const folder = given.folder ?? (await emptyFolder());
  const out = given.out ?? (await emptyFolder());
  const { parts, events } = await open({ out, ...given.config });
  const abort = new AbortController();
  const watching = lastValueFrom(segmentLive(folder, parts, abort.signal).pipe(take(results), toArray()));
  try {
    await act(folder, abort.signal);
    return { folder, out, events, results: await watching };
  } finally {
    abort.abort();
    await parts.close();
  }
}

const kinds = (events: readonly BusEvent[]) =>
  events.map(event => decodeEvent(event)!).map(event => (event.kind === 'slide' ? event.state : event.kind));

const masks = (events: readonly BusEvent[]) =>
  events.filter(({ type }) => type === 'stromaflow.mask.v1').map(({ id }) => id);

const scan = (options: Partial<SimulateOptions>) => (folder: string, signal: AbortSignal) =>
  simulateScan(SLIDE, folder, { as: 'growing-tiff', order: 'rows', rate: 0, signal, ...options });

describe('a slide that is segmented while it is scanned', () => {
  for (const as of ['growing-tiff', 'checkpointed-tiff', 'tile-folder'] as const)
    for (const order of ['rows', 'columns', 'stripes', 'random'] as const)
      it(`${as}, ${order}: the same masks as the finished slide`, async () => {
        const watched = await watchFor(1, {}, scan({ as, order, rate: 400, checkpoint: 16 }));
        expect(watched.results[0]).toMatchObject({ id: 'CMU-1-Small-Region', state: 'completed' });
        expect(await maskOf(watched.out, 'CMU-1-Small-Region')).toEqual(await segmented(SLIDE, 'CMU-1-Small-Region'));
        const ids = masks(watched.events);
        expect(new Set(ids).size).toBe(ids.length);
      });

  it('publishes masks before the slide is on disk', async () => {
    let tiles = 0;
    const seenAt: number[] = [];
    const watched = await watchFor(1, {}, async (folder, signal) => {
      const running = scan({ rate: 60, onTile: () => void tiles++ })(folder, signal);
      const { parts } = { parts: opened.at(-1)! };
      void (async () => {
        for await (const event of parts.bus.subscribe('stroma.v1.>', signal))
          if (event.type === 'stromaflow.mask.v1') seenAt.push(tiles);
      })();
      await running;
    });
    expect(watched.results[0]).toMatchObject({ state: 'completed' });
    expect(seenAt[0]).toBeLessThan(tiles / 2);
  });
});

describe('a slide that stops growing', () => {
  it('becomes incomplete, keeps its masks, and goes on when it grows again', async () => {
    const { results, events, out } = await watchFor(
      2,
      { config: { 'incomplete-after': 0.4 } },
      scan({ rate: 400, stall: 2 }),
    );
    expect(results[0]).toMatchObject({ state: 'incomplete', reason: 'stalled' });
    expect(results[1]).toMatchObject({ state: 'completed', summary: { patches: { expected: 30, missing: 0 } } });
    const states = kinds(events).filter(kind => ['opened', 'incomplete', 'completed'].includes(kind));
    expect(states).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    const ids = masks(events);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await maskOf(out, 'CMU-1-Small-Region')).toEqual(await segmented(SLIDE, 'CMU-1-Small-Region'));
  });
});
