import { afterEach, expect, it } from 'vitest';
import { post } from '#src/trace/transport.js';
import { type Collector, startCollector } from './collector.js';

let collector: Collector | undefined;
afterEach(() => collector?.close());

const BODY = new TextEncoder().encode('{"resourceSpans":[]}');
const settings = { headers: { 'api-key': 'abc' }, encoding: 'json', timeoutMs: 60_000 } as const;
const never = new AbortController().signal;

it('posts again what a busy collector did not take', async () => {
  collector = await startCollector((response, request) => {
    if (request === 1) response.statusCode = 503;
    response.end('{}');
  });
  await post(BODY, { ...settings, url: collector.url }, never);
  expect(collector.requests.map(({ body }) => body.toString())).toEqual(Array(2).fill('{"resourceSpans":[]}'));
  expect(collector.requests[1]!.headers).toMatchObject({ 'content-type': 'application/json', 'api-key': 'abc' });
});

it('does not follow a collector elsewhere, with its key', async () => {
  collector = await startCollector(response => {
    response.statusCode = 307;
    response.setHeader('location', 'http://127.0.0.1:1/');
    response.end();
  });
  await expect(post(BODY, { ...settings, url: collector.url, timeoutMs: 1 }, never)).rejects.toThrow();
  await expect(post(BODY, { ...settings, url: collector.url, timeoutMs: 900 }, never)).rejects.toThrow();
});

it('says that nobody answered in time', async () => {
  collector = await startCollector(() => undefined);
  const posted = post(BODY, { ...settings, url: collector.url, timeoutMs: 50 }, never);
  await expect(posted).rejects.toThrow('did not answer within 50 ms');
});

it('ends at once when it is told to, in a pause as well', async () => {
  const stop = new AbortController();
  collector = await startCollector(response => {
    response.statusCode = 503;
    // Its answer is on the way: the pause follows.
    response.end('{}', () => setImmediate(() => stop.abort()));
  });
  await expect(post(BODY, { ...settings, url: collector.url }, stop.signal)).rejects.toThrow(/abort/);
});
