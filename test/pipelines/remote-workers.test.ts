import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { lastValueFrom, tap, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { segmentSlides } from '#pipelines/segment.js';
import { slideTasks } from '#pipelines/slide-tasks.js';
import { openWorkBus } from '#pipelines/work-bus.js';
import { type TaskResult, work } from '#pipelines/worker.js';
import type { Config } from '#src/config/options.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import { scenery, writeTiff } from '../slide/tiff-writer.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder } from '../support/paths.js';
import { type RangeServer, startRangeServer } from '../support/range-server.js';

const SMALL = { 'patch-size': 64, mpp: 0.5, spacing: 0.5, 'keep-empty': true, readers: 1 } as const;
const COMMON = { ...SMALL, 'task-patches': 4, 'task-timeout': 1, 'http-timeout': 1 } as const;
const NAME = 'case';
/** 6 × 6 patches, in uncompressed tiles as large as they are. */
const SLIDE = writeTiff([{ picture: scenery(384, 384), tile: [64, 64], compression: 'none' }]);
const QUICK = { backoffMs: 1, stallMs: 1000, retries: 1 } as const;

const closing: (() => Promise<void>)[] = [];
let nats: TestNatsServer;
let server: RangeServer;
beforeEach(async () => {
  nats = await startNatsServer({ jetstream: true });
  closing.push(() => nats.stop());
  const nc = await connect({ servers: nats.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS, true);
  await nc.close();
  server = await startRangeServer(SLIDE);
  closing.push(() => server.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startWorker(mounted: string | undefined): Promise<TaskResult[]> {
  const bus = await openWorkBus({ prefix: 'stroma.v1', nats: nats.url } as Config);
  const given = { ...COMMON, nats: nats.url, out: await emptyFolder() } as const;
  const parts = await partsWith(given, { ledger: createMemoryLedger(), bus });
  const queue = new TaskQueue({
    ...{ connection: bus.connection, prefix: 'stroma.v1', modelVersion: '0', timeoutSeconds: 1 },
  });
  await queue.open();
  const results: TaskResult[] = [];
  const over = new AbortController();
  const working = lastValueFrom(
    work(parts, { queue, lanes: 2, mounted, remote: QUICK, tries: 2 }, over.signal).pipe(
      tap(result => results.push(result)),
    ),
    { defaultValue: undefined },
  );
  closing.push(async () => {
    over.abort();
    await working;
    await parts.close();
    await bus.close();
  });
  return results;
}

async function ingest(path: string, root?: string) {
  const out = await emptyFolder();
  const options = { ...COMMON, nats: nats.url, role: 'ingest', out } as const;
  const parts = await partsWith(options, root === undefined ? {} : { root });
  closing.push(() => parts.close());
  const tasks = slideTasks([path], parts);
  const [result] = await lastValueFrom(segmentSlides(tasks, parts, new AbortController().signal).pipe(toArray()));
  return { result: result!, folder: join(out, NAME) };
}

/** The masks of the slide, by one process from its file. */
async function expected(): Promise<Buffer> {
  const [out, root] = [await emptyFolder(), await emptyFolder()];
  const path = join(root, `${NAME}.tif`);
  await writeFile(path, SLIDE);
  const parts = await partsWith({ ...SMALL, out });
  await lastValueFrom(segmentSlides(slideTasks([path], parts), parts, new AbortController().signal).pipe(toArray()));
  await parts.close();
  return readFile(join(out, NAME, 'mask.geojson'));
}

const SIGNED = '?X-Amz-Signature=5ecre7';

describe('workers and slides at addresses', () => {
  it('read a slide at an address over HTTP, with a signature of their own, and find what one process finds', async () => {
    server.trouble = ({ url }) => (url.includes('X-Amz-Signature=') ? undefined : { status: 403 });
    await startWorker(`${server.url}/case?X-Amz-Signature=worker`);
    const { result, folder } = await ingest(`${server.url}/case/${NAME}.tif${SIGNED}`);
    expect(result).toMatchObject({ state: 'completed' });
    expect(await readFile(join(folder, 'mask.geojson'))).toEqual(await expected());
    const byWorker = server.asked.filter(({ url }) => url === `/case/${NAME}.tif?X-Amz-Signature=worker`);
    expect(byWorker.length).toBeGreaterThan(5);
  });

  it('are told no signature: without one of their own its patches fail, and say why', async () => {
    server.trouble = ({ url }) => (url.includes('5ecre7') ? undefined : { status: 403 });
    const results = await startWorker(undefined);
    const { result } = await ingest(`${server.url}/case/${NAME}.tif${SIGNED}`);
    expect(result).toMatchObject({ state: 'incomplete', reason: 'patches-failed' });
    const [given] = results.filter(({ state }) => state === 'given-up');
    expect(given!.error).toMatchObject({ code: 'SLIDE_REMOTE' });
    expect(given!.error!.line).toMatch(/refuses it \(403\).*presigned/);
  });

  it("read the slides of ingest's folder from a web server, where they have no share", async () => {
    const root = await emptyFolder();
    await writeFile(join(root, `${NAME}.tif`), SLIDE);
    await startWorker(`${server.url}/share`);
    const { result, folder } = await ingest(join(root, `${NAME}.tif`), root);
    expect(result).toMatchObject({ state: 'completed' });
    expect(await readFile(join(folder, 'mask.geojson'))).toEqual(await expected());
    expect(new Set(server.asked.map(({ url }) => url))).toEqual(new Set([`/share/${NAME}.tif`]));
  });

  it('end the slide where the web server has another file than ingest', async () => {
    const bytes = Buffer.from(server.file.bytes);
    bytes[1000]! ^= 1;
    server.file = { bytes, etag: '"other"' };
    const root = await emptyFolder();
    await writeFile(join(root, `${NAME}.tif`), SLIDE);
    await startWorker(`${server.url}/share`);
    const { result } = await ingest(join(root, `${NAME}.tif`), root);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'SLIDE_CHANGED' } });
  });

  it('end the slide when its file at the address is written anew after ingest opened it', async () => {
    let opened = 0;
    server.trouble = ({ headers, start }) => {
      // Whoever opens it asks for its beginning: ingest first, a worker behind it.
      if (start === 0) opened += 1;
      return opened > 1 || headers['if-match'] === '"second"' ? { headers: { etag: '"second"' } } : undefined;
    };
    await startWorker(undefined);
    const { result } = await ingest(`${server.url}/case/${NAME}.tif`);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'SLIDE_CHANGED' } });
  });
});
