import { appendFile, mkdir, mkdtemp, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isSlideName, isTemporaryName } from '#src/watch/names.js';
import { type Arrival, type CandidateFacts, watchFolder } from '#src/watch/watch-folder.js';

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'stromaflow-watch-'));

/** Opens files whose text ends in "whole", as a reader opens a slide whose last tile is there. */
const openText = async (path: string, { settled }: CandidateFacts): Promise<{ value: string }> => {
  if (!settled) throw new Error('may still be written');
  const text = await readFile(path, 'utf8');
  if (!text.endsWith('whole')) throw new Error('cut short');
  return { value: text };
};

async function arrivals(root: string, wanted: number, act: () => Promise<void>): Promise<Arrival<string>[]> {
  const abort = new AbortController();
  const options = { pollSeconds: 0.05, settleSeconds: 0.3, open: openText, signal: abort.signal };
  const seen: Arrival<string>[] = [];
  const watching = (async () => {
    for await (const arrival of watchFolder(root, options)) {
      seen.push(arrival);
      if (seen.length === wanted) abort.abort();
    }
  })();
  await act();
  await watching;
  return seen;
}

describe('watchFolder', () => {
  it('finds what is there, what is renamed into place and what lies deeper', async () => {
    const root = await folder();
    await writeFile(join(root, 'there.svs'), 'whole');
    const seen = await arrivals(root, 3, async () => {
      await writeFile(join(root, '.new.svs.tmp'), 'whole');
      await rename(join(root, '.new.svs.tmp'), join(root, 'new.svs'));
      await mkdir(join(root, 'case-1'));
      await writeFile(join(root, 'case-1', 'deep.tiff'), 'whole');
    });
    const names = seen.map(({ path }) => path.slice(root.length + 1)).sort();
    expect(names).toEqual(['case-1/deep.tiff', 'new.svs', 'there.svs']);
    for (const arrival of seen) expect(arrival).toMatchObject({ opened: 'whole' });
  });

  it('waits for a file that is still growing', async () => {
    const root = await folder();
    const path = join(root, 'growing.svs');
    const [arrival] = await arrivals(root, 1, async () => {
      await writeFile(path, 'begun ');
      for (let part = 0; part < 8; part += 1) {
        await new Promise(resolve => setTimeout(resolve, 60));
        await appendFile(path, 'more ');
      }
      await appendFile(path, 'whole');
    });
    expect(arrival).toMatchObject({ path, opened: expect.stringMatching(/whole$/) });
  });

  it('reports a file that stays unreadable once, and goes on', async () => {
    const root = await folder();
    await writeFile(join(root, 'broken.svs'), 'half');
    const seen = await arrivals(root, 2, async () => {
      await new Promise(resolve => setTimeout(resolve, 600));
      await writeFile(join(root, 'good.svs'), 'whole');
    });
    expect(seen[0]).toMatchObject({
      error: { code: 'SLIDE_UNREADABLE', message: expect.stringContaining('cut short') },
    });
    expect(seen[1]).toMatchObject({ opened: 'whole' });
  });

  it('reports a slide that is written again', async () => {
    const root = await folder();
    const path = join(root, 'again.svs');
    await writeFile(path, 'whole');
    const abort = new AbortController();
    const options = { pollSeconds: 0.05, settleSeconds: 0.3, open: openText, signal: abort.signal };
    const seen: string[] = [];
    for await (const arrival of watchFolder(root, options)) {
      if ('opened' in arrival) seen.push(arrival.opened);
      if (seen.length === 1) {
        await unlink(path);
        await writeFile(path, 'second time whole');
      } else abort.abort();
    }
    expect(seen).toEqual(['whole', 'second time whole']);
  });

  it('does not follow a symbolic link out of the folder', async () => {
    const root = await folder();
    const outside = await folder();
    await writeFile(join(outside, 'secret.svs'), 'whole');
    await symlink(join(outside, 'secret.svs'), join(root, 'link.svs'));
    await symlink(outside, join(root, 'linked-folder'));
    const seen = await arrivals(root, 1, () => writeFile(join(root, 'real.svs'), 'whole'));
    expect(seen.map(({ path }) => path)).toEqual([join(root, 'real.svs')]);
  });

  it('says so when the folder is not there', async () => {
    const failing = arrivals('/nowhere/at/all', 1, async () => undefined);
    await expect(failing).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});

describe('names', () => {
  it.each(['.hidden.svs', 'a.svs.tmp', 'a.svs.part', '~$a.svs', 'a.svs.partial', 'a.svs.filepart'])(
    '%s is temporary',
    name => {
      expect(isTemporaryName(`/in/${name}`)).toBe(true);
      expect(isSlideName(`/in/${name}`)).toBe(false);
    },
  );
  it.each(['a.svs', 'A.SVS', 'b.tif', 'c.tiff', 'd.btf'])('%s is a slide', name => {
    expect(isSlideName(`/in/${name}`)).toBe(true);
  });
});
