import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import type { BusEvent } from '#src/event/bus.js';
import { type SimulateOptions, simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { storedPieces } from '#src/slide/stored-bytes.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { eventually } from '../support/processes.js';
import { finishedMask, happened, maskOf, scan, watchFor } from './live-support.js';
import { alone, COMMON, files, masks, openIngest, openServer, queued, segment, startWorker } from './work-support.js';

const ID = 'CMU-1-Small-Region';
const SHIP = { ship: 'tiles' } as const;
const kinds = ['tasks', 'outcomes', 'briefs', 'tiles'];

/** Every path that a worker was given to read slides by. */
function reading(paths: string[]): (parts: Parts) => Parts {
  const collect = (value: unknown): void => {
    if (typeof value === 'string' && value.startsWith('/')) paths.push(value);
    else if (Array.isArray(value)) for (const item of value) collect(item);
    else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) collect(Object.values(value));
  };
  return parts => ({
    ...parts,
    readers: Object.assign(Object.create(parts.readers), {
      open: (slide: { source: { kind: string; inner: unknown } }, ...rest: [never, never]) => {
        expect(slide.source.kind).toBe('shipped');
        collect(slide.source.inner);
        return parts.readers.open(slide as never, ...rest);
      },
    }),
  });
}

/** A worker that sees no folder of slides reads in its own. */
function expectOwn(paths: readonly string[]): void {
  expect(paths.length).toBeGreaterThan(0);
  for (const path of paths) expect(path.startsWith(join(tmpdir(), `stromaflow-tiles-${process.pid}-`))).toBe(true);
}

/** Bytes of all that the level at which the slide is read has. */
async function storedBytes(path: string): Promise<number> {
  const { source, info } = await openSlide(path);
  const { width, height, tileWidth, tileHeight } = info.levels[0]!;
  const pieces = storedPieces(source);
  let bytes = 0;
  for (let row = 0; row * tileHeight < height; row++)
    for (let col = 0; col * tileWidth < width; col++)
      for (const { path: file, length } of pieces(0, col, row)) bytes += length ?? statSync(file).size;
  return bytes;
}

/** Areas as they were published last, but for when. */
function areas(events: readonly BusEvent[]): unknown {
  const last = events.filter(({ type }) => type === 'stromaflow.aggregate.v1').at(-1)!;
  const { updatedAt, revision, ...said } = JSON.parse(Buffer.from(last.data).toString());
  return said;
}

/** Ways that a slide lies on disk, and how a scanner leaves it there. */
const LAYOUTS: readonly (readonly [string, Partial<SimulateOptions>])[] = [
  ['a DICOM instance', { as: 'dicom' }],
  ['DICOM parts whose frames state their places', { as: 'dicom', partTiles: 16, sparse: true }],
  ['an NDTiff data set', { as: 'ndtiff' }],
  ['a folder of tiles', { as: 'tile-folder' }],
];

describe.each(LAYOUTS)('%s', (_, layout) => {
  it('that is finished is shipped, each tile once, and made into what one process makes of it', async () => {
    const given = { as: 'dicom', order: 'random', rate: 0, seed: 7, ...layout } as const;
    const { path } = await simulateScan(SLIDE, await emptyFolder(), given);
    const server = await openServer();
    const paths: string[] = [];
    const worker = await startWorker(server, reading(paths));
    const { parts, events, out } = await openIngest(server, SHIP);
    expect(await segment(parts, 'slide', path)).toMatchObject({ state: 'completed' });
    const one = await alone(path);
    expect(one.masks.size).toBeGreaterThan(10);
    expect(masks(events)).toEqual(one.masks);
    expect(areas(events)).toEqual(areas(one.events));
    expect(await files(join(out, 'slide'))).toEqual(one.files);
    expectOwn(paths);
    expect(parts.workers?.shippedBytes).toBe(await storedBytes(path));
    await eventually(async () => (await queued(server, kinds)) === 0);
    await worker.stop();
  });

  it('that grows is shipped while it is written, and the mask is that of the finished slide', async () => {
    const server = await openServer();
    const paths: string[] = [];
    await startWorker(server, reading(paths));
    const config = { ...COMMON, ...SHIP, nats: server.url, role: 'ingest' };
    const { results, out, events } = await watchFor(1, { config }, (folder, signal) => {
      const masked = happened('mask', signal);
      masked.catch(() => undefined);
      let tiles = 0;
      // Half of the slide is there, and the scanner waits for what comes of it. One instance is there when it is whole.
      const isWaitedFor = layout.as !== 'dicom' || layout.partTiles !== undefined;
      const onTile = () => (++tiles === 65 && isWaitedFor ? masked : undefined);
      return scan({ ...layout, order: 'rows', onTile })(folder, signal);
    });
    expect(results).toMatchObject([{ id: ID, state: 'completed', summary: { patches: { failed: 0, missing: 0 } } }]);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
    expect(masks(events).size).toBeGreaterThan(10);
    expectOwn(paths);
    await eventually(async () => (await queued(server, kinds)) === 0);
  });
});
