import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createConnection, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { StatusBoard } from '#src/status/board.js';
import { createMetrics } from '#src/status/metrics.js';
import { observeBus } from '#src/status/observe-bus.js';
import type { Readiness } from '#src/status/report.js';
import { type StatusServer, type StatusServerOptions, startStatusServer } from '#src/status/server.js';
import { aggregate, createSampleEvents, maskInput, slidePayloads } from '../event/samples.js';
import { engine } from './exercise.js';

const servers: StatusServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(change: Partial<StatusServerOptions> = {}) {
  const raw = createMemoryBus();
  const metrics = createMetrics({ version: '1.2.3', engine });
  const board = new StatusBoard({ version: '1.2.3', bus: raw, engine });
  const bus = observeBus(raw, [metrics.busObserver, board.busObserver]);
  const server = await startStatusServer({
    port: 0,
    metrics,
    status: () => board.report(),
    readiness: () => ({ components: {} }),
    grid: slide => board.grid(slide),
    ...change,
  });
  servers.push(server);
  const get = (path: string, options: RequestInit = {}) => fetch(`${server.url}${path}`, options);
  return { server, get, bus, board, metrics };
}

describe('the status server', () => {
  it('listens on loopback unless told otherwise', async () => {
    const { server } = await start();
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const v6 = await start({ host: '::1' });
    expect(v6.server.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await v6.get('/livez')).status).toBe(200);
  });

  it('is alive whatever is not ready', async () => {
    const { get } = await start({ readiness: () => ({ components: { bus: { ready: false } } }) });
    for (const path of ['/livez', '/healthz']) {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ status: 'ok' });
    }
  });

  it('is ready when every part is, and says which is not and why', async () => {
    let readiness: Readiness = { components: { bus: { ready: true }, engine: { ready: true } } };
    const { get } = await start({ readiness: () => readiness });
    expect((await get('/readyz')).status).toBe(200);
    const bus = { ready: false, reason: 'nats://127.0.0.1:4222 does not answer' };
    readiness = { components: { bus, engine: { ready: true } } };
    const answer = await get('/readyz');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ ready: false, ...readiness });
  });

  it('answers /status with the whole report and nothing else', async () => {
    const { get, bus, board } = await start();
    const events = createSampleEvents();
    await bus.publish(events.slide('opened', slidePayloads.opened));
    await bus.publish(events.aggregate(aggregate, 'r'));
    await bus.publish(events.slide('failed', slidePayloads.failed));
    const answer = await get('/status');
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const { uptimeSeconds, ...report } = board.report();
    expect(await answer.json()).toEqual({ ...report, uptimeSeconds: expect.any(Number) });
    expect(uptimeSeconds).toBeGreaterThan(0);
  });

  it('answers /metrics as Prometheus reads it', async () => {
    const { get } = await start();
    const answer = await get('/metrics');
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await answer.text()).toContain('stromaflow_build_info{version="1.2.3"');
  });

  it('gives the grid of a slide that it knows', async () => {
    const { get, bus } = await start();
    const events = createSampleEvents();
    await bus.publish(events.slide('opened', slidePayloads.opened));
    await bus.publish(events.mask(maskInput()));
    const answer = await get(`/slides/${aggregate.slide}/grid`);
    const { cols, rows, cells } = (await answer.json()) as { cols: number; rows: number; cells: string };
    expect([cols, rows]).toEqual([5, 4]);
    expect([...Buffer.from(cells, 'base64')].filter(Boolean)).toEqual([82]);
    expect((await get('/slides/none/grid')).status).toBe(404);
  });

  it('sends a page that asks nothing of other hosts', async () => {
    const { get } = await start();
    const answer = await get('/');
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(await answer.text()).not.toMatch(/https?:\/\//);
  });

  it.each([
    ['/nothing/here', 'GET', 404],
    ['/status', 'POST', 404],
    ['/slides/%zz/grid', 'GET', 400],
    [`/slides/${'a'.repeat(300)}/grid`, 'GET', 400],
  ])('says little about %s (%s)', async (path, method, status) => {
    const { get } = await start();
    const answer = await get(path, { method });
    expect(answer.status).toBe(status);
    const text = await answer.text();
    expect(Object.keys(JSON.parse(text))).toEqual(['error']);
    expect(text.length).toBeLessThan(40);
    expect(answer.headers.get('server')).toBeNull();
    expect(answer.headers.get('x-powered-by')).toBeNull();
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each([
    ['localhost', 200],
    ['127.0.0.1:80', 200],
    ['[::1]:9464', 200],
    ['evil.example', 421],
    ['127.0.0.1.evil.example:9464', 421],
    ['192.0.2.7', 421],
  ])('on loopback answers a request for the host %s with %i', async (host, expected) => {
    const { server } = await start();
    const request = get(`${server.url}/status`, { headers: { host } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(expected);
  });

  it('answers to any name once it listens to other machines', async () => {
    const { server } = await start({ host: '0.0.0.0' });
    const port = new URL(server.url).port;
    const request = get(`http://127.0.0.1:${port}/livez`, { headers: { host: 'stromaflow.lab' } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(200);
  });

  it('hides what went wrong inside', async () => {
    const { get } = await start({
      status: () => {
        throw new Error('/secret/path: broken');
      },
    });
    const answer = await get('/status');
    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe('{"error":"internal error"}');
  });

  it('frees its port on close, after the requests under way', async () => {
    let answered: (text: string) => void = () => {};
    let asked: () => void = () => {};
    const wasAsked = new Promise<void>(resolve => {
      asked = resolve;
    });
    const text = () => {
      asked();
      return new Promise<string>(resolve => {
        answered = resolve;
      });
    };
    const { server, get } = await start({ metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', text } });
    const request = get('/metrics');
    await wasAsked;
    const closing = server.close();
    answered('late 1\n');
    expect(await (await request).text()).toBe('late 1\n');
    await closing;
    const socket = createConnection(Number(new URL(server.url).port), '127.0.0.1');
    await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('an address that cannot be had', () => {
  it('is PORT_IN_USE when somebody has it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await expect(start({ port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `127.0.0.1:${port} is in use`,
    });
    other.close();
  });

  it('is CONFIG_INVALID when it is not ours', async () => {
    await expect(start({ host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'cannot listen on 192.0.2.1:0: EADDRNOTAVAIL',
    });
  });
});
