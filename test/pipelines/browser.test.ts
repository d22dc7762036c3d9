import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect as plainConnect } from '@nats-io/transport-node';
import { type Browser, chromium, type Page } from 'playwright-core';
import { lastValueFrom, of, toArray } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type * as Library from '#src/browser.js';
import { connect, type StromaClient } from '#src/event/client.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { openSlide } from '#src/slide/open.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { requireBinary } from '../support/require-binary.js';

let server: TestNatsServer;
let parts: Parts;
let client: StromaClient;
let browser: Browser;
let web: Server;
let site: string;
let ws: string;
const complaints: string[] = [];

beforeAll(async () => {
  const port = await freePort();
  ws = `ws://127.0.0.1:${port}`;
  server = await startNatsServer({
    jetstream: true,
    config: `websocket { host: "127.0.0.1", port: ${port}, no_tls: true }`,
  });
  const nc = await plainConnect({ servers: server.url });
  await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS);
  await nc.close();
  parts = await partsWith({ out: await emptyFolder(), nats: server.url, publish: 'jetstream' });
  await segment('slide');
  client = await connect({ url: server.url });
  web = await serve({
    '/': ['text/html', '<!doctype html><title>test</title>'],
    '/example.html': ['text/html', await readFile(new URL('../../examples/browser.html', import.meta.url), 'utf8')],
    '/stromaflow.js': ['text/javascript', await bundle()],
  });
  site = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const executablePath = requireBinary('chromium', 'apt-get install chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(async () => {
  await browser.close();
  web.close();
  await client.close();
  await parts.close();
  await server.stop();
});

async function segment(id: string): Promise<void> {
  const task = { path: SLIDE, id, open: () => openSlide(SLIDE, { id }) };
  const [result] = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal).pipe(toArray()));
  if (result?.state !== 'completed') throw new Error(JSON.stringify(result));
}

async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

/** The package's entry for browsers as one file; a module of Node's in it fails this. */
async function bundle(): Promise<string> {
  const script = fileURLToPath(new URL('../support/bundle.mjs', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { maxBuffer: 2 ** 24 });
  expect(stderr).toBe('');
  return stdout;
}

async function serve(files: Readonly<Record<string, readonly [type: string, text: string]>>): Promise<Server> {
  const http = createServer(({ url = '/' }, response) => {
    const [type, text] = files[url.split('?')[0]!] ?? ['text/plain', ''];
    response.writeHead(200, { 'content-type': type }).end(text);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  return http;
}

async function openPage(path = '/'): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', error => complaints.push(error.message));
  await page.goto(`${site}${path}`);
  return page;
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What runs in the page finds the library there. */
declare const load: () => Promise<typeof Library>;
const LOAD = "window.load = () => import('/stromaflow.js')";

describe('the library in a browser, over WebSocket', () => {
  it('gets every mask that is kept, with its pixels, and the whole slide’s', async () => {
    const page = await openPage();
    await page.evaluate(LOAD);
    const [mask, aggregate] = [await client.slideMask('slide'), await client.lastAggregate('slide')];
    const { segmented } = aggregate!.aggregate.patches;
    // Hashes come back from the page: millions of pixels take minutes.
    const found = await page.evaluate(
      async ([url, count]) => {
        const { connect, decodeMaskPng } = await load();
        const hash = async (bytes: Uint8Array): Promise<string> => {
          const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes));
          return [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, '0')).join('');
        };
        const connected = await connect({ url });
        const seen: Record<string, string> = {};
        for await (const { col, row, bits } of connected.masks({ slide: 'slide', from: 'all' })) {
          seen[`${col} ${row}`] = await hash(bits);
          if (Object.keys(seen).length === count) break;
        }
        const whole = await connected.slideMask('slide');
        const { width, height, complete, masks } = whole;
        const pixels = await hash(whole.toArray());
        // The page has no zlib; what it packed and read back is the same picture.
        const packed = await hash(decodeMaskPng(whole.toPng()).bits);
        await connected.close();
        return { seen, width, height, complete, masks, pixels, packed };
      },
      [ws, segmented] as const,
    );
    const expected: Record<string, string> = {};
    for await (const { col, row, bits } of client.masks({ slide: 'slide', from: 'all' })) {
      expected[`${col} ${row}`] = sha(bits);
      if (Object.keys(expected).length === segmented) break;
    }
    const { width, height, complete, masks } = mask;
    expect(found).toEqual({
      ...{ seen: expected, width, height, complete, masks },
      ...{ pixels: sha(mask.toArray()), packed: sha(mask.bits) },
    });
    await page.close();
  });

  it('gets what comes, also after the server was away, and is told', async () => {
    const page = await openPage();
    await page.evaluate(LOAD);
    const told: string[] = [];
    await page.exposeFunction('tell', (what: string) => told.push(what));
    await page.evaluate(async url => {
      const tell = (globalThis as unknown as { tell: (what: string) => void }).tell;
      const { connect } = await load();
      const connected = await connect({ url });
      const masks = connected.masks({ from: 'new', onNotice: ({ kind }) => tell(kind) });
      await connected.ready();
      tell('ready');
      void (async () => {
        for await (const { slide } of masks) tell(slide);
      })();
    }, ws);
    await expect.poll(() => told, { timeout: 60_000 }).toContain('ready');
    await server.kill();
    await expect.poll(() => told, { timeout: 60_000 }).toContain('away');
    await server.restart();
    await expect.poll(() => told, { timeout: 60_000 }).toContain('back');
    await segment('second');
    const { patches } = (await client.lastAggregate('second'))!.aggregate;
    await expect.poll(() => told.filter(what => what === 'second').length, { timeout: 60_000 }).toBe(patches.segmented);
    await page.close();
  });

  it('says in one line that there is no such server, or that an address is none of a websocket', async () => {
    const page = await openPage();
    await page.evaluate(LOAD);
    const errors = await page.evaluate(async () => {
      const { connect } = await load();
      const codeOf = (url: string) =>
        connect({ url, timeoutSeconds: 2 }).then(
          () => 'connected',
          (error: { code: string }) => error.code,
        );
      return [await codeOf('nats://127.0.0.1:4222'), await codeOf('ws://127.0.0.1:9')];
    });
    expect(errors).toEqual(['CONFIG_INVALID', 'BUS_UNREACHABLE']);
    await page.close();
  });

  it('draws the slide in the example', async () => {
    const page = await openPage(`/example.html?slide=slide&nats=${encodeURIComponent(ws)}`);
    const { patches } = (await client.lastAggregate('slide'))!.aggregate;
    await expect.poll(() => page.textContent('#said'), { timeout: 60_000 }).toBe(`slide: ${patches.segmented} masks`);
    const set = await page.evaluate(`(() => {
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, at) => at % 4 === 0 && value > 128).length;
    })()`);
    expect(set).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
