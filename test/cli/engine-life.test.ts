import { copyFile, mkdir, readFile, rename, rm, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '#src/event/client.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { type RunningCli, startCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { startNatsServer } from '../support/nats-server.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { childrenOf, eventually, isAlive } from '../support/processes.js';

/** What happens to the engine and the model while a command runs, as an operator sees it. */

let root: string;
const bundle = (version: string): Promise<string> =>
  makeBundle({ config: SMALL, manifest: { version, patchSize: 256 } }, join(root, version));
beforeAll(async () => {
  root = await emptyFolder();
  await Promise.all([bundle('1.0.0'), bundle('2.0.0')]);
});

const running: RunningCli[] = [];
afterEach(async () => {
  for (const cli of running.splice(0)) {
    cli.process.kill('SIGKILL');
    await cli.finished;
  }
});
const start = (args: readonly string[]): RunningCli => {
  const cli = startCli(args);
  running.push(cli);
  return cli;
};

const isEngine = (pid: number): Promise<boolean> =>
  readFile(`/proc/${pid}/cmdline`, 'utf8').then(
    line => line.includes('engine.child'),
    () => false,
  );
async function engineOf(cli: RunningCli): Promise<number | undefined> {
  for (const pid of childrenOf(cli.process.pid!)) if (isAlive(pid) && (await isEngine(pid))) return pid;
  return undefined;
}

describe('a model that changes while slides are watched', () => {
  it('is taken up by the next slide; the ones under way end with theirs; a bad one changes nothing', async () => {
    const nats = await startNatsServer();
    const client = await connect({ url: nats.url });
    const versions = new Map<string, Set<string>>();
    const stop = new AbortController();
    const listening = (async () => {
      for await (const { slide, modelversion } of client.masks({ signal: stop.signal }))
        versions.set(slide, (versions.get(slide) ?? new Set()).add(modelversion));
    })();
    await client.ready();

    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const model = join(root, 'current');
    const pointAt = async (version: string) => {
      await symlink(join(root, version), `${model}.next`);
      await rename(`${model}.next`, model);
    };
    const scan = async (name: string) => {
      await copyFile(SLIDE, join(folder, `.${name}`));
      await rename(join(folder, `.${name}`), join(folder, name));
    };
    await pointAt('1.0.0');
    const options = ['--model', model, '--engine', 'cpu', '--nats', nats.url, '--port', '0', '--poll', '0.2'];
    const cli = start(['watch', folder, '--out', out, ...options]);

    await scan('first.svs');
    await cli.printed('first: stroma');
    const source = join(await emptyFolder(), 'slow.svs');
    await copyFile(SLIDE, source);
    const growing = simulateScan(source, folder, { as: 'growing-tiff', order: 'rows', rate: 20 });
    await eventually(() => versions.has('slow'));
    await pointAt('2.0.0');
    await cli.printed(/^\S+ model .* 2\.0\.0\+[0-9a-f]{8} for slides opened from now on$/m);
    await scan('third.svs');
    await cli.printed('third: stroma');
    await growing;
    await cli.printed('slow: stroma');

    await mkdir(join(root, 'broken'));
    for (const file of ['config.json', 'model.safetensors', 'stromaflow.json'])
      await copyFile(join(root, '2.0.0', file), join(root, 'broken', file));
    await truncate(join(root, 'broken', 'model.safetensors'), 1000);
    await pointAt('broken');
    cli.process.kill('SIGHUP');
    await scan('fourth.svs');
    await cli.printed('fourth: stroma');

    cli.process.kill('SIGINT');
    const { status, stderr } = await cli.finished;
    expect(status).toBe(130);
    expect(stderr).toMatch(/the model stays as it is: .*model\.safetensors.* \[MODEL_INVALID\]/);
    const of = (slide: string) => [...(versions.get(slide) ?? [])].map(version => version.split('+')[0]);
    expect({ first: of('first'), slow: of('slow'), third: of('third'), fourth: of('fourth') }).toEqual({
      first: ['1.0.0'],
      slow: ['1.0.0'],
      third: ['2.0.0'],
      fourth: ['2.0.0'],
    });
    stop.abort();
    await listening;
    await client.close();
    await nats.stop();
    await rm(model);
  });
});

describe('an engine’s process', () => {
  const segment = (out: string) =>
    start(['segment', SLIDE, '--out', out, '--model', join(root, '1.0.0'), '--engine', 'cpu', '--batch', '2']);

  it('that crashes once is started again, and no patch is missed', async () => {
    const cli = segment(await emptyFolder());
    await cli.printed('engine');
    const engine = await eventually(async () => engineOf(cli));
    process.kill(engine, 'SIGSEGV');
    const { status, stdout, stderr } = await cli.finished;
    expect(stderr).toMatch(/the engine was started again \(failures in a row: 1; the last: .*crashed \(SIGSEGV\)\)/);
    expect(stdout).not.toContain('FAILED');
    expect(status).toBe(0);
  });

  it('that dies again and again ends the command; started again it finishes the slide', async () => {
    const out = await emptyFolder();
    const cli = segment(out);
    await cli.printed('engine');
    let over = false;
    const finished = cli.finished.finally(() => {
      over = true;
    });
    await eventually(async () => {
      const engine = await engineOf(cli);
      if (engine) process.kill(engine, 'SIGSEGV');
      return over;
    });
    const { status, stderr } = await finished;
    expect(status).toBe(1);
    // Killed while the next batch is being written to it, it is out of reach before it is known to have crashed.
    expect(stderr).toMatch(
      /the engine failed \d+ times in a row: .*(crashed \(SIGSEGV\)|cannot be reached).* \[ENGINE_FAILED\]/,
    );

    const again = segment(out);
    const { status: second, stdout } = await again.finished;
    expect(second).toBe(0);
    expect(stdout).not.toContain('FAILED');
  });
});
