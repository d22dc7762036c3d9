// What nats-py makes of the stream, outside npm test:  PYTHON=/path/to/python node test/golden/nats_py.mjs   (nats-py 2.16.0; after npm run build)
// Starts a nats-server, segments the committed slide into its streams, runs examples/masks.py and compares its line with the last aggregate.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect } from '#src/event/client.js';

const run = promisify(execFile);
const at = path => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'stromaflow-nats-py-'));
const port = 20_000 + (process.pid % 20_000);
const url = `nats://127.0.0.1:${port}`;
const server = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder], { stdio: 'ignore' });
try {
  let client;
  while (!client) client = await connect({ url }).catch(() => sleep(100));
  const cli = (...args) => run(process.execPath, [at('dist/src/cli/main.js'), ...args, '--nats', url]);
  await cli('events', 'setup');
  await cli('segment', at('test/fixtures/CMU-1-Small-Region.svs'), '--engine', 'null', '--out', join(folder, 'out'));
  const slide = 'CMU-1-Small-Region';
  const { segmented } = (await client.lastAggregate(slide)).aggregate.patches;
  let [stroma, valid, masks] = [0, 0, 0];
  for await (const mask of client.masks({ slide, from: 'all' })) {
    stroma += mask.stromapixels;
    valid += mask.validpixels;
    if (++masks === segmented) break;
  }
  await client.close();
  const expected = `${masks} masks, stroma ${((100 * stroma) / valid).toFixed(1)}% of their pixels\n`;
  const { stdout } = await run(process.env.PYTHON ?? 'python3', [at('examples/masks.py'), slide, url]);
  process.stdout.write(stdout);
  if (stdout !== expected) throw new Error(`nats-py says ${stdout}, the client ${expected}`);
} finally {
  server.kill();
  await rm(folder, { recursive: true, force: true });
}
