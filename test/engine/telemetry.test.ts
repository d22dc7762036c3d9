import { mkdir, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const STARTER = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));

let folder: string;
let proxy: Server;
const asked: string[] = [];
beforeAll(async () => {
  folder = await emptyFolder();
  proxy = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(403).end();
  });
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  proxy.close();
  await rm(folder, { recursive: true });
});

// onnxruntime keeps what it is going to report below the cache folder before it tries to, so no time has to pass.
describe('an engine', () => {
  it.each([
    ['a process of its own', ['segment', SLIDE, '--engine', 'cpu']],
    ['a thread', ['model', 'verify', STARTER, '--engine', 'cpu']],
    ['the doctor', ['doctor']],
  ])('reports nothing to anybody, and keeps no id of the machine: %s', async (name, args) => {
    const cache = join(folder, name.replaceAll(' ', '-'));
    await mkdir(cache);
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const outside = { HTTPS_PROXY: address, https_proxy: address, HTTP_PROXY: address, NO_PROXY: '', no_proxy: '' };
    const out = args[0] === 'segment' ? ['--out', join(cache, 'out')] : [];
    const run = await runCli([...args, ...out], { ...outside, XDG_CACHE_HOME: cache, ORT_DISABLE_TELEMETRY: '' });
    expect(run.status, run.stderr).toBe(0);
    const kept = await readdir(cache, { recursive: true });
    expect(kept.some(path => path.startsWith('stromaflow'))).toBe(true);
    expect(kept.filter(path => /microsoft|deviceid|onnxruntime\.db/i.test(path))).toEqual([]);
    expect(asked).toEqual([]);
  });
});
