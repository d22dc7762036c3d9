import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { loadBundle } from '#src/model/bundle.js';
import { runCli, startCli } from '../support/cli.js';
import { emptyFolder } from '../support/paths.js';
import { pictureSet, smallBundle } from './train-set.js';

let args: string[];
let runs: string;
beforeAll(async () => {
  runs = await emptyFolder();
  const set = await pictureSet(6);
  const unlabelled = await pictureSet(3, undefined, 200);
  const recipe = ['--epochs', '3', '--final-epochs', '1', '--effective-batch', '4', '--batch', '2'];
  const data = ['--positive', '1', '--ignore', '3', '--mpp', '0.5', '--augment', 'rotate,flip,scale,hed,colour,blur'];
  const how = ['--engine', 'cpu', '--threads', '1', '--model', await smallBundle(), '--runs', runs];
  const without = ['--unlabelled', unlabelled, '--pseudo-threshold', '0.6', '--pseudo-ramp', '1'];
  args = ['train', set, ...data, ...recipe, ...how, ...without, '--checkpoint-interval', '0'];
});

/** No exit status. */
const KILLED = -1;

const checkpoint = (name: string) =>
  stat(join(runs, name, 'checkpoint.safetensors')).then(
    ({ mtimeMs, ino }) => `${ino} ${mtimeMs}`,
    () => undefined,
  );

/** Starts the run and kills it after so many checkpoints more, wherever it is then; false when it was over before. */
async function killAfter(name: string, checkpoints: number): Promise<boolean> {
  const run = startCli([...args, '--name', name]);
  let over = false;
  void run.finished.then(() => {
    over = true;
  });
  let last = await checkpoint(name);
  for (let seen = 0; seen < checkpoints && !over; ) {
    const now = await checkpoint(name);
    if (now !== last) seen++;
    last = now;
    await sleep(1);
  }
  run.process.kill('SIGKILL');
  return (await run.finished).status === KILLED;
}

const hashOf = async (...path: string[]) =>
  createHash('sha256')
    .update(await readFile(join(runs, ...path)))
    .digest('hex');

const linesOf = async (name: string) =>
  (await readFile(join(runs, name, 'metrics.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map(line => ({ ...JSON.parse(line), seconds: 0, imagesPerSecond: 0 }));

it('a run that is killed again and again ends as one that never was, bit for bit', async () => {
  const whole = await runCli([...args, '--name', 'whole']);
  expect(whole.stderr).toBe('');
  expect(whole.status).toBe(0);
  let kills = 0;
  for (const checkpoints of [1, 2, 2]) kills += Number(await killAfter('killed', checkpoints));
  expect(kills).toBeGreaterThan(1);
  // Ctrl-C ends the step under way and saves it.
  const stopped = startCli([...args, '--name', 'killed']);
  await stopped.printed('goes on');
  stopped.process.kill('SIGINT');
  const { status, stdout } = await stopped.finished;
  expect(status).toBe(130);
  expect(stdout).toMatch(/the same command goes on from there/);
  const end = await runCli([...args, '--name', 'killed']);
  expect(end.stderr).toBe('');
  expect(end.stdout).toMatch(/goes on {4}at epoch \d/);
  expect(end.status).toBe(0);
  expect(await linesOf('killed')).toEqual(await linesOf('whole'));
  for (const bundle of ['best', 'last']) {
    expect(await hashOf('killed', bundle, 'model.safetensors')).toBe(
      await hashOf('whole', bundle, 'model.safetensors'),
    );
    await loadBundle(join(runs, 'killed', bundle));
  }
});
