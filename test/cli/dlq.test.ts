import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEvents } from '#src/event/contract.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import type { DeadLetter } from '#src/event/payloads.js';
import { runCli } from '../support/cli.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';

const events = createEvents({ site: 'lab', scanner: 'gt450' });
const letter = (slide: string, col: number, code: string): DeadLetter => ({
  ...{ slide, run: 'r1', stage: 'infer', attempts: 2 },
  patch: { level: 0, col, row: 0, x: 0, y: 0, width: 64, height: 64 },
  error: { code, message: `${code} of ${col}`, fix: 'nothing' },
});

let server: TestNatsServer;
let nats: string[];
beforeAll(async () => {
  server = await startNatsServer({ jetstream: true });
  nats = ['--nats', server.url];
  expect((await runCli(['events', 'setup', ...nats])).status).toBe(0);
  const bus = await connectNatsBus({ url: server.url, publish: 'jetstream' });
  await bus.publish(events.dlq(letter('S1', 0, 'ENGINE_FAILED')));
  await bus.publish(events.dlq(letter('S1', 1, 'ENGINE_FAILED')));
  await bus.publish(events.dlq(letter('S1', 2, 'TILE_CORRUPT')));
  await bus.publish(events.dlq(letter('S2', 0, 'SLIDE_UNREADABLE')));
  await bus.close();
});
afterAll(() => server.stop());

const lines = (text: string): string[] => text.split('\n').filter(Boolean);

describe('stromaflow dlq', () => {
  it('list: a line for each slide and reason, or each letter as JSON', async () => {
    const all = await runCli(['dlq', 'list', ...nats]);
    expect([all.status, lines(all.stdout).map(line => line.split('  ').slice(0, 4))]).toEqual([
      0,
      [
        ['S1', '2 patches', 'infer poison', 'open'],
        ['S1', '1 patch', 'infer permanent', 'open'],
        ['S2', '1 patch', 'infer transient', 'open'],
      ],
    ]);
    const some = await runCli(['dlq', 'list', '--json', '--slide', 'S1', '--kind', 'permanent', ...nats]);
    expect(lines(some.stdout).map(line => JSON.parse(line))).toMatchObject([
      {
        seq: 3,
        slide: 'S1',
        run: 'r1',
        kind: 'permanent',
        standing: 'open',
        patch: { col: 2 },
        error: { code: 'TILE_CORRUPT' },
      },
    ]);
  });

  it('drop deletes what was chosen, and nothing without --yes', async () => {
    const asked = await runCli(['dlq', 'drop', '--kind', 'permanent', ...nats]);
    expect([asked.status, asked.stderr]).toEqual([2, expect.stringMatching(/1 dead letters would be deleted.*--yes/s)]);
    expect((await runCli(['dlq', 'drop', '--kind', 'permanent', '--yes', ...nats])).stdout).toContain(
      '1 dead letters deleted',
    );
    expect(lines((await runCli(['dlq', 'list', ...nats])).stdout)).toHaveLength(2);
  });

  it('retry leaves a request for the scanner’s process, and takes the letters away', async () => {
    const run = await runCli(['dlq', 'retry', '--slide', 'S1', ...nats]);
    expect([run.status, run.stdout]).toEqual([0, 'S1: 2 dead letters put back\n']);
    expect(lines((await runCli(['dlq', 'list', ...nats])).stdout)).toEqual([expect.stringContaining('S2')]);
    const bus = await connectNatsBus({ url: server.url, publish: 'jetstream' });
    const stop = new AbortController();
    for await (const taken of bus.kept!.take('stroma.v1.lab.gt450.retry.*', 'test', stop.signal)) {
      expect(taken?.event.extensions).toEqual({ slide: 'S1', run: 'r1' });
      await taken!.done();
      break;
    }
    stop.abort();
    await bus.close();
  });

  it('says in one line that nothing is kept', async () => {
    const bare = await startNatsServer();
    const run = await runCli(['dlq', 'list', '--nats', bare.url]);
    await bare.stop();
    expect([run.status, run.stderr]).toEqual([
      1,
      expect.stringMatching(/no JetStream .*\[EVENTS_STREAM\].*events setup\n$/),
    ]);
    expect((await runCli(['dlq', 'list'])).stderr).toContain('--nats <url> is needed');
  });
});
