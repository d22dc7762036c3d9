import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect as plainConnect } from '@nats-io/transport-node';
import { lastValueFrom, of, toArray } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { get, open as openZarr } from 'zarrita';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { connect, type StromaClient } from '#src/event/client.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { decodeMaskPng } from '#src/mask/png.js';
import { openSlide } from '#src/slide/open.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

/** One slide, segmented before any subscriber came. */
let server: TestNatsServer;
let parts: Parts;
let out: string;
let client: StromaClient;

beforeAll(async () => {
  server = await startNatsServer({ jetstream: true });
  const nc = await plainConnect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS);
  await nc.close();
  out = await emptyFolder();
  parts = await partsWith({ out, nats: server.url, publish: 'jetstream', margin: 32 });
  await segment('slide');
  client = await connect({ url: server.url });
});
afterAll(async () => {
  await client.close();
  await parts.close();
  await server.stop();
});

async function segment(id: string): Promise<void> {
  const task = { path: SLIDE, id, open: () => openSlide(SLIDE, { id }) };
  const [result] = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal).pipe(toArray()));
  if (result?.state !== 'completed') throw new Error(JSON.stringify(result));
}

async function storedMask(): Promise<{ data: Uint8Array; shape: readonly number[] }> {
  const root = join(out, 'slide', 'mask.ome.zarr', '0');
  const store = {
    get: async (key: string) =>
      readFile(join(root, key)).then(
        bytes => new Uint8Array(bytes),
        () => undefined,
      ),
  };
  const array = await openZarr.v2(store, { kind: 'array' });
  const { data, shape } = await get(array);
  return { data: new Uint8Array(data as Uint8Array), shape };
}

describe('the mask of a slide that is done, out of the stream', () => {
  it('is the one in mask.ome.zarr, pixel for pixel', async () => {
    const mask = await client.slideMask('slide');
    const { data, shape } = await storedMask();
    expect([mask.height, mask.width]).toEqual(shape.slice(-2));
    expect(Buffer.from(mask.toArray()).equals(Buffer.from(data))).toBe(true);
    expect(data.includes(1)).toBe(true);
    expect(mask).toMatchObject({ complete: true, mpp: 0.499, aggregate: { provisional: false } });
    const png = decodeMaskPng(mask.toPng());
    expect(Buffer.from(png.bits).equals(Buffer.from(mask.bits))).toBe(true);
  });

  it('is asked for by its scanner where two have one of its name, and refused where there is none', async () => {
    await expect(client.slideMask('nobody')).rejects.toMatchObject({ code: 'EVENTS_STREAM' });
    expect((await client.slideMask('slide', { site: 'site', scanner: 'scanner' })).complete).toBe(true);
    await expect(client.slideMask('slide', { site: 'elsewhere' })).rejects.toMatchObject({ code: 'EVENTS_STREAM' });
  });

  it('is not given as whole when masks of it are gone', async () => {
    await segment('holed');
    const nc = await plainConnect({ servers: server.url });
    const manager = await openManager(nc);
    const message = await manager.streams.getMessage('stroma_v1_masks', {
      last_by_subj: 'stroma.v1.site.scanner.mask.holed.*.*',
    });
    await manager.streams.deleteMessage('stroma_v1_masks', message!.seq);
    await nc.close();
    await expect(client.slideMask('holed')).rejects.toMatchObject({
      code: 'EVENTS_GAP',
      message: expect.stringMatching(/^holed: \d+ of \d+ masks are in the stream$/),
    });
    expect(await client.slideMask('holed', { partial: true })).toMatchObject({ complete: false });
  });
});

describe('the examples', () => {
  const run = async (name: string, args: readonly string[]) => {
    const path = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
    const child = spawn(process.execPath, [path, ...args, '--nats', server.url], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
    }
    return { child, ended: once(child, 'close').then(() => text) };
  };

  it('tils-score counts the cells in the stroma, of CSV and GeoJSON alike', async () => {
    const { data, shape } = await storedMask();
    const width = shape.at(-1)!;
    const inside = [...data.keys()].filter(index => data[index] === 1).filter((_, index) => index % 1000 === 0);
    const outside = [...data.keys()].filter(index => data[index] === 0).filter((_, index) => index % 5000 === 0);
    const points = [...inside, ...outside].map(
      index => [(index % width) + 0.5, Math.floor(index / width) + 0.5] as const,
    );
    const csv = join(out, 'cells.csv');
    await writeFile(csv, `id,x,y\n${points.map(([x, y], id) => `${id},${x},${y}`).join('\n')}\n`);
    const geojson = join(out, 'cells.geojson');
    const features = points.map(coordinates => ({ type: 'Feature', geometry: { type: 'Point', coordinates } }));
    await writeFile(geojson, JSON.stringify({ type: 'FeatureCollection', features }));
    const lines = [];
    for (const file of [csv, geojson])
      lines.push(JSON.parse(await (await run('tils-score.mjs', ['slide', file])).ended));
    const stromaPixels = data.reduce((sum, value) => sum + value, 0);
    expect(lines[0]).toMatchObject({ cells: points.length, inStroma: inside.length, complete: true });
    // 256 px² a cell, of 0.5 µm: the mask's pixels are of 0.499 µm.
    expect(lines[0].tilsPercent).toBeCloseTo((100 * inside.length * 256) / (stromaPixels * (0.499 / 0.5) ** 2), 9);
    expect(lines[1]).toEqual(lines[0]);
  });

  it('webhook posts each slide that is over once, from one start to the next', async () => {
    const posts: { key: string | undefined; body: { slide: string; state: string } }[] = [];
    let refuse = 1;
    const http = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      if (refuse > 0) {
        refuse -= 1;
        response.writeHead(500).end();
        return;
      }
      posts.push({ key: request.headers['idempotency-key'] as string, body: JSON.parse(text) });
      response.end();
    }).listen(0, '127.0.0.1');
    await once(http, 'listening');
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const arrived = async (count: number) => {
      while (posts.length < count)
        await once(http, 'request').then(() => new Promise(resolve => setTimeout(resolve, 5)));
    };
    const before = (await slidesOver()).length;
    for (const id of ['first', 'second']) {
      const { child, ended } = await run('webhook.mjs', [url]);
      await segment(id);
      await arrived(before + (id === 'first' ? 1 : 2));
      child.kill('SIGTERM');
      await ended;
    }
    expect(new Set(posts.map(({ key }) => key)).size).toBe(posts.length);
    // The one that was refused comes again behind others.
    const told = posts.map(({ body }) => `${body.slide} ${body.state}`);
    for (const line of ['first completed', 'second completed'])
      expect(told.filter(other => other === line)).toHaveLength(1);
    http.close();
  });

  async function slidesOver(): Promise<string[]> {
    const nc = await plainConnect({ servers: server.url });
    const { state } = await (await openManager(nc)).streams.info('stroma_v1_slides', { subjects_filter: '>' });
    await nc.close();
    return Object.keys(state.subjects ?? {}).filter(subject => /slide\.(completed|failed|incomplete)\./.test(subject));
  }
});
