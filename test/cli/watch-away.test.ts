import { copyFileSync, mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

interface Ready {
  readonly components: Record<string, { readonly ready: boolean; readonly reason?: string }>;
}

it('says while its folder is away that it is, on every endpoint that is asked, and in a line each', async () => {
  const above = await emptyFolder();
  const [folder, elsewhere] = [join(above, 'scans'), join(above, 'elsewhere')];
  mkdirSync(folder);
  copyFileSync(SLIDE, join(folder, 'slide.svs'));
  const args = ['watch', folder, '--out', await emptyFolder(), '--engine', 'null', '--poll', '0.1', '--port', '0'];
  const running = startCli(args);
  let printed = '';
  running.process.stdout?.on('data', chunk => {
    printed += chunk;
  });
  await running.printed(/engine {5}/);
  const url = /status {5}(http:\S+)/.exec(printed)![1]!.replace(/\/$/, '');
  const ready = async (): Promise<readonly [number, Ready['components'][string] | undefined]> => {
    const response = await fetch(`${url}/readyz`);
    return [response.status, ((await response.json()) as Ready).components['folder']];
  };
  const until = async (status: number): Promise<void> => {
    while ((await ready())[0] !== status) await sleep(20);
  };
  const gauge = async (): Promise<string | undefined> =>
    /^stromaflow_watched_folder_up (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];

  expect([await ready(), await gauge()]).toEqual([[200, { ready: true }], '1']);
  // A folder that was never looked into cannot go away.
  await running.printed('slide: stroma');
  renameSync(folder, elsewhere);
  mkdirSync(folder);
  await until(503);
  expect((await ready())[1]).toEqual({ ready: false, reason: `${folder}: an empty folder stands in its place` });
  expect(await gauge()).toBe('0');
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  rmdirSync(folder);
  renameSync(elsewhere, folder);
  await until(200);
  expect(await gauge()).toBe('1');
  running.process.kill('SIGINT');
  const { stderr } = await running.finished;
  const lines = stderr.split('\n').filter(line => line.includes(folder));
  expect(lines).toEqual([
    expect.stringMatching(
      /^stromaflow: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \/.*an empty folder stands in its place; its slides wait until it is back$/,
    ),
    expect.stringMatching(/^stromaflow: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \/.*: is back after \d+ s; its slides go on$/),
  ]);
});
