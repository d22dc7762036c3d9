import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchFolder } from '#src/watch/watch-folder.js';
import { temporaryFolder } from '../support/temporary.js';

/** Watches a folder with a table of tiles; `tried` has what was opened, by name, since the table was handed on. */
async function watched(
  open: (text: string, tries: number) => 'tiles' | 'none' | 'torn',
  until: (tried: string[]) => boolean,
) {
  const root = temporaryFolder('claims');
  const table = join(root, 'coordinates.csv');
  await writeFile(table, 'whole');
  await writeFile(join(root, 'field.tiff'), 'a field');
  const stop = new AbortController();
  const tried: string[] = [];
  const options = {
    pollSeconds: 0.02,
    settleSeconds: 60,
    signal: stop.signal,
    open: async (path: string) => {
      if (path !== table) {
        tried.push(path.slice(root.length + 1));
        if (until(tried)) stop.abort();
        return undefined;
      }
      tried.push('table');
      if (until(tried)) stop.abort();
      const found = open(await readFile(table, 'utf8'), tried.length);
      if (found === 'torn') throw new Error('its last line is cut');
      return found === 'none' ? undefined : { value: 'slide', claims: root };
    },
  };
  const arrived: string[] = [];
  for await (const arrival of watchFolder(root, options)) {
    arrived.push('opened' in arrival ? arrival.opened : arrival.error.code);
    await writeFile(table, 'written again');
  }
  await rm(root, { recursive: true });
  return { tried, arrived };
}

describe('a table that is written again after its slide was opened', () => {
  it('makes no slides of its images while it cannot be read', async () => {
    const { tried, arrived } = await watched(
      text => (text === 'whole' ? 'tiles' : 'torn'),
      seen => seen.length === 5,
    );
    expect(tried).toEqual(Array(5).fill('table'));
    expect(arrived).toEqual(['slide']);
  });

  it('lets go of them when it turns out to be no table any more', async () => {
    const { tried } = await watched(
      text => (text === 'whole' ? 'tiles' : 'none'),
      seen => seen.includes('field.tiff'),
    );
    expect(tried).toEqual(['table', 'table', 'field.tiff']);
  });
});
