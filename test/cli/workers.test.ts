import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type RunningCli, runCli, startCli } from '../support/cli.js';
import { startNatsServer } from '../support/nats-server.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const running: RunningCli[] = [];
afterEach(async () => {
  for (const { process, finished } of running.splice(0)) {
    process.kill('SIGKILL');
    await finished;
  }
});

const start = (args: readonly string[]): RunningCli => {
  const cli = startCli(args);
  running.push(cli);
  return cli;
};

it('processes of their own share a slide: one is killed, one is told to end, and it is whole', async () => {
  const server = await startNatsServer({ jetstream: true });
  const nats = ['--nats', server.url];
  const made = await runCli(['events', 'setup', '--for-workers', ...nats]);
  expect([made.status, made.stdout.trim().split('\n')]).toEqual([
    0,
    expect.arrayContaining(['stream stroma_v1_tasks created']),
  ]);
  const out = await emptyFolder();
  const work = ['worker', '--engine', 'null', '--readers', '1', '--task-timeout', '1', '--patch-size', '128', ...nats];
  const plan = ['--patch-size', '128', '--task-patches', '2', '--tasks-ahead', '8', '--engine', 'null'];
  const ingest = start(['segment', SLIDE, '--role', 'ingest', '--out', out, '--readers', '1', ...plan, ...nats]);
  const [victim, other] = [start(work), start(work)];
  await Promise.all([victim.printed('tasks '), other.printed('tasks ')]);
  victim.process.kill('SIGKILL');
  const run = await ingest.finished;
  expect([run.status, run.stderr]).toEqual([0, '']);
  expect(run.stdout).toContain('JetStream');
  const [slide] = [join(out, 'CMU-1-Small-Region', 'summary.json')];
  const { patches, state } = JSON.parse(await readFile(slide, 'utf8'));
  expect([state, patches.failed, patches.missing, patches.segmented + patches.empty]).toEqual([
    'completed',
    0,
    0,
    patches.expected,
  ]);
  other.process.kill('SIGTERM');
  const { status, stdout } = await other.finished;
  expect([status, stdout]).toEqual([130, expect.stringMatching(/done {7}\d+ patches of \d+ tasks/)]);
  await server.stop();
});

it('a worker without the streams of shared work says so in one line', async () => {
  const server = await startNatsServer({ jetstream: true });
  const run = await runCli(['worker', '--engine', 'null', '--nats', server.url]);
  expect([run.status, run.stderr]).toEqual([
    1,
    expect.stringMatching(/\[EVENTS_STREAM\] enable JetStream .* events setup/),
  ]);
  await server.stop();
});
