import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { StatusReport } from '#src/status/report.js';
import { startCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

it('still shows, when it is started again, what it finished, and in which folder it looks', async () => {
  const [folder, out] = [await emptyFolder(), await emptyFolder()];
  await copyFile(SLIDE, join(folder, 'slide.svs'));
  const args = ['watch', folder, '--out', out, '--engine', 'null', '--poll', '0.1', '--settle', '0.2', '--port', '0'];
  const start = async () => {
    const running = startCli(args);
    let printed = '';
    running.process.stdout?.on('data', chunk => {
      printed += chunk;
    });
    await running.printed(/engine {5}/);
    const url = /status {5}(http:\S+)/.exec(printed)![1]!.replace(/\/$/, '');
    const get = async (path: string) => (await fetch(`${url}/${path}`)).json();
    return { running, get, status: async () => (await get('status')) as StatusReport };
  };

  const first = await start();
  await first.running.printed('slide: stroma');
  const { slides: before } = await first.status();
  const grid = await first.get('slides/slide/grid');
  first.running.process.kill('SIGINT');
  expect((await first.running.finished).stdout).toMatch(/^\S+ 1 slide: 1 completed$/m);

  const again = await start();
  const { slides, folder: watched } = await again.status();
  expect(watched).toEqual({ path: folder, away: null });
  expect(slides).toHaveLength(1);
  const { area, patches, tiles, state } = before[0]!;
  expect(slides[0]).toMatchObject({ slide: 'slide', state, area, patches, tiles });
  expect(await again.get('slides/slide/grid')).toEqual(grid);
  expect(await again.get('slides/..%2F..%2Fetc/grid')).toEqual({ error: 'not found' });
  again.running.process.kill('SIGINT');
  await again.running.finished;
});
