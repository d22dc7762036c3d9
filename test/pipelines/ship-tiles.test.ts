import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { openSlide } from '#src/slide/open.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { RecordingObserver } from '../support/observer.js';
import { SLIDE } from '../support/paths.js';
import { eventually } from '../support/processes.js';
import { finishedMask, maskOf, scan, watchFor } from './live-support.js';
import {
  COMMON,
  expected,
  files,
  masks,
  openIngest,
  openServer,
  queued,
  segment,
  startWorker,
} from './work-support.js';

/** Folders that mirrors of this process are in. */
const mirrors = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter(name => name.startsWith(`stromaflow-tiles-${process.pid}-`));

/** Remembers every path that a worker opens a slide by. */
function watched(opened: { kind: string; path: string }[]): (parts: Parts) => Parts {
  return parts => ({
    ...parts,
    observer: new RecordingObserver(),
    readers: Object.assign(Object.create(parts.readers), {
      open: (slide: { source: { kind: string; inner?: { path: string } } }, ...rest: [never, never]) => {
        opened.push({ kind: slide.source.kind, path: slide.source.inner?.path ?? '' });
        return parts.readers.open(slide as never, ...rest);
      },
    }),
  });
}

/** Bytes of the tiles that the level at which the committed slide is read has. */
async function tileBytes(): Promise<number> {
  const { source } = await openSlide(SLIDE);
  const { byteCounts } = (source as TiffDescription).levels[0]!;
  return byteCounts.reduce((sum, bytes) => sum + bytes, 0);
}

const SHIP = { ship: 'tiles' } as const;
const kinds = ['tasks', 'outcomes', 'briefs', 'tiles'];

describe('tiles that are shipped', () => {
  it('make what one process makes, byte for byte, each shipped once, and are gone afterwards', async () => {
    const server = await openServer();
    const opened: { kind: string; path: string }[] = [];
    const workers = [await startWorker(server, watched(opened))];
    const { parts, events, out } = await openIngest(server, SHIP);
    expect(await segment(parts)).toMatchObject({ state: 'completed' });
    const one = await expected;
    expect(masks(events)).toEqual(one.masks);
    expect(await files(join(out, 'slide'))).toEqual(one.files);
    // The worker opened the slide in a folder of its own, and nothing else.
    expect(new Set(opened.map(({ kind }) => kind))).toEqual(new Set(['shipped']));
    for (const { path } of opened) expect(path).toMatch(/stromaflow-tiles-.*\.svs$/);
    expect(parts.workers?.shippedBytes).toBe(await tileBytes());
    await eventually(async () => (await queued(server, kinds)) === 0);
    for (const worker of workers) await worker.stop();
    expect(await mirrors()).toEqual([]);
  });

  it('wait for room, one task at a time where there is none', async () => {
    const server = await openServer();
    await startWorker(server);
    const { parts, out, events } = await openIngest(server, { ...SHIP, 'ship-bytes': 1, 'task-patches': 2 });
    let most = 0;
    const look = setInterval(async () => {
      most = Math.max(most, await queued(server, ['tiles']).catch(() => 0));
    }, 50);
    expect(await segment(parts)).toMatchObject({ state: 'completed' });
    clearInterval(look);
    expect(masks(events)).toEqual((await expected).masks);
    expect(await files(join(out, 'slide'))).toEqual((await expected).files);
    expect(most).toBeGreaterThan(0);
    // What a later task needs made room for this one, and was shipped again.
    expect(parts.workers!.shippedBytes).toBeGreaterThan(await tileBytes());
    await eventually(async () => (await queued(server, kinds)) === 0);
  });

  it('that the server lost are shipped again', async () => {
    const server = await openServer();
    const { parts, events } = await openIngest(server, { ...SHIP, 'task-patches': 2, 'tasks-ahead': 8 });
    await startWorker(server);
    const running = segment(parts);
    await eventually(() => masks(events).size >= 3);
    await server.kill();
    await server.loseStore();
    await server.restart();
    expect(await running).toMatchObject({ state: 'completed' });
    expect(masks(events)).toEqual((await expected).masks);
  });

  it('of a slide whose bytes only a library finds: one line says so', async () => {
    const server = await openServer();
    const { parts } = await openIngest(server, SHIP);
    const task = {
      path: SLIDE,
      id: 'slide',
      open: async () => {
        const slide = await openSlide(SLIDE, { id: 'slide' });
        return { ...slide, source: { ...slide.source, kind: 'unheard-of' } };
      },
    };
    // Ingest itself cannot open such a source: readers are not what is looked at here.
    const reading = Object.assign(Object.create(parts.readers), {
      open: async (slide: { source: object }, ...rest: [never, never]) =>
        parts.readers.open({ ...slide, source: { ...slide.source, kind: 'tiff' } } as never, ...rest),
    });
    expect(await segment({ ...parts, readers: reading }, 'slide', SLIDE, undefined, task)).toMatchObject({
      state: 'failed',
      error: { code: 'SLIDE_UNSUPPORTED', fix: expect.stringContaining('--ship') },
    });
  });
});

describe('a slide that grows', () => {
  it('growing-tiff: is shipped while it is written, and the mask is that of the finished slide', async () => {
    const server = await openServer();
    const opened: { kind: string; path: string }[] = [];
    await startWorker(server, watched(opened));
    const config = { ...COMMON, ...SHIP, nats: server.url, role: 'ingest' };
    const { results, out } = await watchFor(1, { config }, scan({ as: 'growing-tiff', rate: 400 }));
    expect(results[0]).toMatchObject({ state: 'completed' });
    expect(await maskOf(out, 'CMU-1-Small-Region')).toEqual(await finishedMask(SLIDE, 'CMU-1-Small-Region'));
    expect(new Set(opened.map(({ kind }) => kind))).toEqual(new Set(['shipped']));
    await eventually(async () => (await queued(server, kinds)) === 0);
  });
});
