#!/usr/bin/env bash
# onnxruntime-node on Linux and what it tells others. One would guess that a library which runs a model from a file speaks to nobody, as its
# versions for Linux did for years. Nothing leaves this machine here: a proxy on the loopback interface refuses everything and counts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --silent --ignore-scripts --no-audit --no-fund onnxruntime-node@1.30.0
cat > run.mjs <<'JS'
import ort from 'onnxruntime-node';
import { writeFileSync } from 'node:fs';
// A model of one Identity, as protobuf: field numbers are onnx.proto's.
const varint = n => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >> 7)]);
const number = (field, value) => [field << 3, ...varint(value)];
const bytes = (field, content) => [(field << 3) | 2, ...varint(content.length), ...content];
const text = (field, value) => bytes(field, [...Buffer.from(value)]);
const value = (field, name) => bytes(field, [...text(1, name), ...bytes(2, bytes(1, [...number(1, 1), ...bytes(2, bytes(1, number(1, 1)))]))]);
const node = bytes(1, [...text(1, 'x'), ...text(2, 'y'), ...text(4, 'Identity')]);
const graph = bytes(7, [...node, ...text(2, 'g'), ...value(11, 'x'), ...value(12, 'y')]);
writeFileSync('identity.onnx', Buffer.from([...number(1, 8), ...graph, ...bytes(8, number(2, 13))]));
const session = await ort.InferenceSession.create('identity.onnx');
const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(7), [1]) });
await session.release();
if (y.data[0] !== 7) throw new Error('the model did not run');
// What it has to say it sends within a minute.
await new Promise(done => setTimeout(done, 60_000));
JS
cat > show.mjs <<'JS'
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { createRequire } from 'node:module';
console.log('onnxruntime-node', createRequire(import.meta.url)('onnxruntime-node/package.json').version, 'Node', process.versions.node);
const asked = [];
const proxy = createServer((_, response) => response.writeHead(403).end());
proxy.on('connect', ({ url }, socket) => {
  asked.push(url);
  socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
});
await new Promise(done => proxy.listen(0, '127.0.0.1', done));
async function run(name, extra) {
  const cache = `${process.cwd()}/${name}`;
  mkdirSync(cache);
  asked.length = 0;
  const address = `http://127.0.0.1:${proxy.address().port}`;
  const env = { ...process.env, XDG_CACHE_HOME: cache, HTTPS_PROXY: address, https_proxy: address, NO_PROXY: '', no_proxy: '', ...extra };
  await promisify(execFile)(process.execPath, ['run.mjs'], { env });
  const files = readdirSync(cache, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => entry.name);
  console.log(`${name}: ${files.length} files in the user's cache folder (${files.join(', ') || 'none'}); hosts asked for: ${[...new Set(asked)].join(', ') || 'none'}`);
  return { files: files.length, hosts: asked.length };
}
const plain = await run('as-it-comes', { ORT_DISABLE_TELEMETRY: '' });
const quiet = await run('with-ORT_DISABLE_TELEMETRY=1', { ORT_DISABLE_TELEMETRY: '1' });
proxy.close();
console.log('One would guess: no file and no host, either way.');
process.exit(plain.files > 0 && plain.hosts > 0 && quiet.files === 0 && quiet.hosts === 0 ? 0 : 1);
JS
if node show.mjs; then echo "as found"; else echo "this has changed"; exit 1; fi
