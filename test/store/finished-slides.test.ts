import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { finishedSlides, storedPatches } from '#src/store/finished-slides.js';
import { emptyFolder } from '../support/paths.js';

const TIME = '2026-03-01T12:00:00.000Z';
const summary = (slide: string) => ({
  ...{ schema: 'stromaflow.summary.v1', slide, revision: 1, updatedAt: TIME },
  ...{ patches: {}, area: {}, plan: {}, timings: {} },
});

async function put(out: string, folder: string, content: unknown, seconds: number): Promise<void> {
  await mkdir(join(out, folder));
  const path = join(out, folder, 'summary.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  await utimes(path, seconds, seconds);
}

it('finds the newest summaries, and none that cannot be understood', async () => {
  const out = await emptyFolder();
  await put(out, 'old', summary('old'), 1000);
  await put(out, 'new', summary('new'), 3000);
  await put(out, 'older', summary('older'), 500);
  await put(out, 'torn', '{"schema":', 4000);
  await put(out, 'copy', summary('another'), 4000);
  await put(out, 'undated', { ...summary('undated'), updatedAt: 'once' }, 4000);
  await put(out, 'empty', { schema: 'stromaflow.summary.v1' }, 4000);
  await mkdir(join(out, 'unfinished'));
  await writeFile(join(out, 'areas.csv'), '');
  expect((await finishedSlides(out, 2)).map(({ slide }) => slide)).toEqual(['new', 'old']);
  expect(await finishedSlides(join(out, 'absent'), 2)).toEqual([]);
});

it('reads patches line by line', async () => {
  const folder = await emptyFolder();
  const patch = { col: 1, row: 2, outcome: 'empty', stromaPixels: 0, validPixels: 9 };
  await writeFile(join(folder, 'patches.jsonl'), `${JSON.stringify(patch)}\n${JSON.stringify(patch)}\n`);
  const read: object[] = [];
  for await (const line of storedPatches(folder)) read.push(line);
  expect(read).toEqual([patch, patch]);
});
