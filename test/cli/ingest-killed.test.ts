import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { connect, type StromaClient } from '#src/event/client.js';
import { type RunningCli, runCli, startCli } from '../support/cli.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';

const ID = 'CMU-1-Small-Region';
const running: RunningCli[] = [];
let server: TestNatsServer;
let client: StromaClient;
beforeEach(async () => {
  server = await startNatsServer({ jetstream: true });
  expect((await runCli(['events', 'setup', '--for-workers', '--nats', server.url])).status).toBe(0);
  client = await connect({ url: server.url });
});
afterEach(async () => {
  for (const { process, finished } of running.splice(0)) {
    process.kill('SIGKILL');
    await finished;
  }
  await client.close();
  await server.stop();
});

let alone: Buffer;
beforeAll(async () => {
  const out = await emptyFolder();
  const run = await runCli(['segment', SLIDE, '--out', out, ...ENGINE]);
  expect(run.status).toBe(0);
  alone = await readFile(join(out, ID, 'mask.geojson'));
});

const ENGINE = ['--engine', 'null', '--readers', '1', '--patch-size', '128'];

function start(args: readonly string[]): RunningCli {
  const cli = startCli(args);
  running.push(cli);
  return cli;
}

const ingest = (out: string): RunningCli =>
  start([
    'segment',
    SLIDE,
    '--role',
    'ingest',
    '--out',
    out,
    '--nats',
    server.url,
    ...ENGINE,
    '--task-patches',
    '2',
    '--tasks-ahead',
    '8',
    '--aggregate-interval',
    '0.05',
  ]);

for (const [where, isElsewhere] of [
  ['elsewhere, without any state', true],
  ...(THOROUGH ? ([['with its state folder', false]] as const) : []),
] as const)
  it(`ingest is killed mid-slide and started again ${where}: every patch has one mask, and revisions rise`, async () => {
    const revisions: { revision: number; provisional: boolean }[] = [];
    const stop = new AbortController();
    const listening = (async () => {
      for await (const { aggregate } of client.aggregates({ signal: stop.signal })) revisions.push(aggregate);
    })();
    const masks = client.masks({ from: 'all' });
    await client.ready();
    start(['worker', '--nats', server.url, '--task-timeout', '1', ...ENGINE]);
    const out = await emptyFolder();
    const first = ingest(out);
    let seen = 0;
    for await (const _ of masks) if (++seen === 25) break;
    first.process.kill('SIGKILL');
    await first.finished;
    const before = revisions.at(-1);
    const last = isElsewhere ? await emptyFolder() : out;
    const second = await ingest(last).finished;
    expect([second.status, second.stderr]).toEqual([0, '']);

    const { patches, state } = JSON.parse(await readFile(join(last, ID, 'summary.json'), 'utf8'));
    expect([state, patches.failed, patches.segmented + patches.empty]).toEqual(['completed', 0, patches.expected]);
    // What the stream has is whole, and what one process makes.
    const mask = await client.slideMask(ID);
    expect([mask.complete, mask.masks]).toEqual([true, patches.segmented]);
    expect(await readFile(join(last, ID, 'mask.geojson'))).toEqual(alone);
    expect(mask.aggregate).toMatchObject({ provisional: false, patches });
    stop.abort();
    await listening;
    // Whoever lets a higher revision replace a lower one has the last word in the end.
    expect(mask.aggregate!.revision).toBe(Math.max(...revisions.map(({ revision }) => revision)));
    if (before) expect(mask.aggregate!.revision).toBeGreaterThan(before.revision);
  });
