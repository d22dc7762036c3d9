import { afterEach, beforeEach, expect, it } from 'vitest';
import { StatusEndpoint } from '#src/cli/status-endpoint.js';
import { StromaflowError } from '#src/errors.js';
import { capture, type Written } from './capture.js';

let written: Written;
let endpoint: StatusEndpoint | undefined;
beforeEach(() => {
  written = capture();
});
afterEach(async () => {
  written.restore();
  await endpoint?.close();
  endpoint = undefined;
});

const off = { 'token-file': undefined, 'access-log': undefined, out: 'none' };
const here = { ...off, host: '127.0.0.1', port: 0 };
const url = () => /http:\S+/.exec(written.lines.join('\n'))![0];
const get = async (path: string) => {
  const response = await fetch(`${url()}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const bus = { description: 'nats://lab', connected: true };
const info = { name: 'null', version: '1', device: 'cpu', model: 'm', modelVersion: '1+a', batch: 4 };
const parts = { bus, models: { current: { segmenter: { info } } } } as unknown as Parameters<
  StatusEndpoint['opened']
>[0];

it('lives before the model is loaded, is ready when it is, and not when the engine is given up', async () => {
  endpoint = await StatusEndpoint.open(here, written.terminal);
  expect(await get('/livez')).toMatchObject({ status: 200 });
  const loading = await get('/readyz');
  expect(loading.status).toBe(503);
  expect(loading.body['components']).toMatchObject({ engine: { ready: false, reason: 'the model is being loaded' } });
  expect((await get('/status')).body).toMatchObject({ engine: null, bus: { connected: false } });

  let failure: StromaflowError | undefined;
  endpoint.opened(parts, {
    get failure() {
      return failure;
    },
  });
  expect((await get('/readyz')).status).toBe(200);
  expect((await get('/status')).body).toMatchObject({ engine: { model: 'm' }, bus: { description: 'nats://lab' } });
  failure = new StromaflowError('ENGINE_FAILED', 'no device');
  expect((await get('/readyz')).body['components']).toMatchObject({ engine: { reason: 'no device' } });
});

it('notices a port in use', async () => {
  endpoint = await StatusEndpoint.open(here, written.terminal);
  const port = Number(new URL(url()).port);
  await expect(StatusEndpoint.open({ ...here, port }, written.terminal)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
});

it('listens nowhere without a port, and counts all the same', async () => {
  endpoint = await StatusEndpoint.open({ ...here, port: undefined }, written.terminal);
  expect(written.lines).toEqual([]);
  expect(await endpoint.metrics.text()).toContain('stromaflow_bus_connected 0');
});
