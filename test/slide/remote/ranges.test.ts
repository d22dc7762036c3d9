import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAddress } from '#src/slide/remote/address.js';
import { HttpRanges, type RangeOptions } from '#src/slide/remote/ranges.js';
import { type RangeServer, startRangeServer, type Trouble } from '../../support/range-server.js';
import { failureOf } from '../fixture.js';

const BYTES = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
const QUICK: RangeOptions = { backoffMs: 1, stallMs: 2000 };

let server: RangeServer;
let stop: AbortController;
beforeEach(async () => {
  server = await startRangeServer(BYTES);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await server.close();
});

const open = (path = '/slide.svs?token=5ecre7', options: RangeOptions = QUICK): HttpRanges =>
  new HttpRanges(parseAddress(`${server.url}${path}`), stop.signal, options);

/** The nth request meets it, all others are answered. */
const once = (number: number, trouble: Trouble) => (asked: { number: number }) =>
  asked.number === number ? trouble : undefined;

describe('bytes by ranges', () => {
  it('are those of the file, and its size and ETag are known after the first', async () => {
    const ranges = open();
    expect(Buffer.from(await ranges.read(0, 16))).toEqual(BYTES.subarray(0, 16));
    expect(ranges.revision).toEqual({ size: 1000, validator: '"first"' });
    expect(Buffer.from(await ranges.read(990, 2000))).toEqual(BYTES.subarray(990));
    expect(ranges.traffic).toEqual({ requests: 2, repeated: 0, bytes: 26 });
    expect(server.asked.map(({ url }) => url)).toEqual(['/slide.svs?token=5ecre7', '/slide.svs?token=5ecre7']);
    expect(server.asked.map(({ headers }) => headers['if-match'])).toEqual([undefined, '"first"']);
    expect(server.asked[0]!.headers['accept-encoding']).toBe('identity');
  });

  it('are asked for by no more requests at a time than is said', async () => {
    const ranges = open('/a', { ...QUICK, atOnce: 3 });
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => ranges.read(i * 10, i * 10 + 10)));
    expect(Buffer.concat(all)).toEqual(BYTES.subarray(0, 200));
    expect(server.mostAtOnce).toBeLessThanOrEqual(3);
  });

  it.each<[string, Trouble]>([
    ['a server that fails', { status: 503 }],
    ['a server that wants fewer requests', { status: 429, headers: { 'retry-after': '0' } }],
    ['an answer that ends early', { cutAfter: 3 }],
    ['a connection that breaks', { cutAfter: 0 }],
  ])('come after %s, asked for again', async (_, trouble) => {
    server.trouble = once(1, trouble);
    const ranges = open();
    expect(Buffer.from(await ranges.read(5, 50))).toEqual(BYTES.subarray(5, 50));
    expect(ranges.traffic).toMatchObject({ requests: 2, repeated: 1 });
  });

  it('come after an answer that stands still', async () => {
    server.trouble = once(1, { stallAfter: 3 });
    const ranges = open('/a', { ...QUICK, stallMs: 200 });
    expect(Buffer.from(await ranges.read(5, 50))).toEqual(BYTES.subarray(5, 50));
    expect(ranges.traffic.repeated).toBe(1);
  });

  it.each<[string, Trouble, RegExp, number]>([
    ['without ranges', { status: 200, body: BYTES }, /whole files only, no ranges/, 1],
    ['that refuses', { status: 403 }, /refuses it \(403\).*signature or password may be wrong or have expired/, 1],
    ['without the file', { status: 404 }, /nothing at this address \(404\)/, 1],
    ['that wants a password', { status: 401 }, /wants a password \(401\)/, 1],
    ['of an empty file', { status: 416, headers: { 'content-range': 'bytes */0' } }, /empty \(416\)/, 1],
    ['that answers oddly', { status: 418 }, /answers 418/, 1],
    ['that says nothing of the version', { headers: { etag: '' } }, /neither ETag nor Last-Modified/, 1],
    ['that sends other bytes', { headers: { 'content-range': 'bytes 7-22/1000' } }, /other bytes than 0–15/, 1],
    ['that hides the size', { headers: { 'content-range': 'bytes 0-15/*' } }, /how long the file is/, 1],
    ['that compresses', { headers: { 'content-encoding': 'gzip' } }, /compressed/, 1],
    ['that fails for good', { status: 502 }, /fails \(502\)/, 5],
    ['whose answers end early', { cutAfter: 3 }, /SLIDE_REMOTE/, 5],
  ])('from a server %s end in one line without secrets', async (_, trouble, line, requests) => {
    server.trouble = () => trouble;
    const failure = await failureOf(() => open().read(0, 16));
    expect(failure.code).toBe('SLIDE_REMOTE');
    expect(failure.line).toMatch(line);
    expect(failure.line).toContain('/slide.svs: ');
    expect(`${failure.line} ${String(failure.cause)}`).not.toContain('5ecre7');
    expect(server.asked).toHaveLength(requests);
  });

  it('from a server that never answers are given up', async () => {
    server.trouble = () => ({ stallAfter: 0 });
    const failure = await failureOf(() => open('/a', { stallMs: 100, backoffMs: 1, retries: 1 }).read(0, 16));
    expect(failure.line).toMatch(/nothing came for 0.1 s \[SLIDE_REMOTE\]/);
  });

  it('from nobody end in one line', async () => {
    const probe = createServer();
    await new Promise<void>(resolve => void probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as { port: number };
    await new Promise(resolve => probe.close(resolve));
    const nobody = new HttpRanges(parseAddress(`http://127.0.0.1:${port}/a.svs?sig=5ecre7`), stop.signal, QUICK);
    const { line } = await failureOf(() => nobody.read(0, 16));
    expect(line).toMatch(/nobody answers at this host and port \[SLIDE_REMOTE\]/);
    expect(line).not.toContain('5ecre7');
  });

  it.each<[string, () => void]>([
    ['another ETag', () => (server.file = { bytes: BYTES, etag: '"second"' })],
    ['another size', () => (server.file = { bytes: BYTES.subarray(0, 900), etag: '"first"' })],
    ['another ETag that is weak', () => (server.trouble = () => ({ headers: { etag: 'W/"second"' } }))],
  ])('of a file with %s are never given, nor any later', async (_, change) => {
    const ranges = open();
    await ranges.read(0, 16);
    change();
    const failure = await failureOf(() => ranges.read(16, 32));
    expect(failure.code).toBe('SLIDE_CHANGED');
    server.file = { bytes: BYTES, etag: '"first"' };
    server.trouble = () => undefined;
    const asked = server.asked.length;
    expect((await failureOf(() => ranges.read(16, 32))).code).toBe('SLIDE_CHANGED');
    expect(server.asked).toHaveLength(asked);
  });

  it('are held against what another machine was told', async () => {
    const ranges = open('/a', { ...QUICK, revision: { size: 1000, validator: '"else"' } });
    expect((await failureOf(() => ranges.read(0, 16))).code).toBe('SLIDE_CHANGED');
  });

  it('are told apart by Last-Modified where there is no ETag', async () => {
    let time = 'Mon, 01 Jan 2024 00:00:00 GMT';
    server.trouble = () => ({ headers: { etag: '', 'last-modified': time } });
    const ranges = open();
    await ranges.read(0, 16);
    expect(server.asked[0]!.headers['if-match']).toBeUndefined();
    await ranges.read(16, 32);
    time = 'Mon, 01 Jan 2024 00:00:01 GMT';
    expect((await failureOf(() => ranges.read(32, 48))).code).toBe('SLIDE_CHANGED');
  });

  it('come with user and password, which a redirection to another host does not see', async () => {
    const elsewhere = await startRangeServer(BYTES);
    try {
      const target = `${elsewhere.url.replace('127.0.0.1', 'localhost')}/moved.svs?sig=5ecre7`;
      server.trouble = () => ({ status: 302, headers: { location: target } });
      const address = parseAddress(`${server.url.replace('//', '//ann:pass@')}/slide.svs`);
      const ranges = new HttpRanges(address, stop.signal, QUICK);
      await ranges.read(0, 16);
      await ranges.read(16, 32);
      expect(server.asked).toHaveLength(1);
      expect(server.asked[0]!.headers.authorization).toMatch(/^Basic /);
      expect(elsewhere.asked).toHaveLength(2);
      for (const { headers } of elsewhere.asked) expect(headers.authorization).toBeUndefined();
      // A signed target expires; the address leads to a new one.
      elsewhere.trouble = ({ number }) => (number === 3 ? { status: 403 } : undefined);
      expect(Buffer.from(await ranges.read(32, 48))).toEqual(BYTES.subarray(32, 48));
      expect(server.asked).toHaveLength(2);
    } finally {
      await elsewhere.close();
    }
  });

  it('end with the signal', async () => {
    server.trouble = () => ({ stallAfter: 1 });
    const reading = open().read(0, 16);
    const ended = expect(reading).rejects.toThrow('closed by the test');
    stop.abort(new Error('closed by the test'));
    await ended;
  });
});
