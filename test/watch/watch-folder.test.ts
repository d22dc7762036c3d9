import { appendFile, mkdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { isSlideName, isTemporaryName } from '#src/watch/names.js';
import { type Arrival, type CandidateFacts, watchFolder } from '#src/watch/watch-folder.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = async (): Promise<string> => temporaryFolder('watch');

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

describe('a file that describes several slides', () => {
  it('is replaced by them, each with a turn of its own, and they change when it does', async () => {
    const root = await folder();
    const path = join(root, 'coordinates.csv');
    let ready = false;
    const tried: string[] = [];
    const open = async (at: string) => {
      tried.push(at.slice(root.length + 1));
      if (at === path) return { parts: [`${at}#a`, `${at}#b`, `${at}#c`], claims: root };
      if (at.endsWith('#b') && !ready) return { later: true } as const;
      if (at.endsWith('#c')) throw new Error('no slide');
      return { value: at.slice(root.length + 1) };
    };
    await writeFile(path, 'x');
    // A part of the slides, which is none itself.
    await writeFile(join(root, 'field.tiff'), 'x');
    const abort = new AbortController();
    const seen: Arrival<string>[] = [];
    for await (const arrival of watchFolder(root, {
      pollSeconds: 0.05,
      settleSeconds: 0.3,
      open,
      signal: abort.signal,
    })) {
      seen.push(arrival);
      if (seen.length === 2) ready = true;
      if (seen.length === 3) await writeFile(path, 'changed');
      if (seen.length === 6) abort.abort();
    }
    const names = seen.map(({ path: at }) => at.slice(root.length + 1));
    expect(names.slice(0, 3)).toEqual(['coordinates.csv#a', 'coordinates.csv#c', 'coordinates.csv#b']);
    expect(names.slice(3).toSorted()).toEqual(['coordinates.csv#a', 'coordinates.csv#b', 'coordinates.csv#c']);
    expect(seen.filter(arrival => 'error' in arrival)).toHaveLength(2);
    expect(tried).not.toContain('field.tiff');
    // What comes later was tried, and never reported, however long it took.
    expect(tried.filter(name => name.endsWith('#b')).length).toBeGreaterThan(3);
  });
});

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

  describe('a slide whose share answers with errors', () => {
    const eio = () => Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
    /** Opens a slide, which its share gives errors for at first; until there is an arrival. */
    const watchWith = async (patienceSeconds: number, error: (tries: number) => Error | undefined) => {
      const root = await folder();
      await writeFile(join(root, 'a.tiff'), 'x');
      let tries = 0;
      const open = async () => {
        const failure = error(++tries);
        if (failure) throw new StromaflowError('SLIDE_UNREADABLE', 'a.tiff: cannot be read', { cause: failure });
        return { value: 'whole' };
      };
      const abort = new AbortController();
      const options = { pollSeconds: 0.02, settleSeconds: 0.05, patienceSeconds, open, signal: abort.signal };
      for await (const arrival of watchFolder(root, options)) {
        abort.abort();
        return { arrival, tries };
      }
      throw new Error('nothing came');
    };

    it('is tried again, and opened when that is over', async () => {
      const { arrival, tries } = await watchWith(600, tried => (tried < 6 ? eio() : undefined));
      expect(arrival).toMatchObject({ opened: 'whole' });
      expect(tries).toBe(6);
    });

    it('is reported when it takes too long, or when the system says that it may not be read', async () => {
      const { arrival, tries } = await watchWith(0.3, eio);
      expect(arrival).toMatchObject({ error: { code: 'SLIDE_UNREADABLE' } });
      expect(tries).toBeGreaterThan(1);
      const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', syscall: 'open' });
      const settled = await watchWith(600, () => denied);
      expect(settled.arrival).toMatchObject({ error: { code: 'SLIDE_UNREADABLE' } });
    });
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

  it('leaves a file to its opener until that lets go, and tries again when asked to', async () => {
    const root = await folder();
    const path = join(root, 'growing.svs');
    await writeFile(path, 'begun');
    const abort = new AbortController();
    const letGo: ((again: boolean) => void)[] = [];
    const open = async () => ({ value: letGo.length, until: new Promise<boolean>(resolve => letGo.push(resolve)) });
    const options = { pollSeconds: 0.05, settleSeconds: 0.3, open, signal: abort.signal };
    const seen: number[] = [];
    for await (const arrival of watchFolder(root, options)) {
      if ('opened' in arrival) seen.push(arrival.opened);
      if (seen.length === 1) {
        for (let part = 0; part < 5; part++) {
          await appendFile(path, ' more');
          await new Promise(resolve => setTimeout(resolve, 60));
        }
        expect(letGo).toHaveLength(1);
        letGo[0]!(true);
      } else if (seen.length === 2) {
        letGo[1]!(false);
        await writeFile(path, 'anew');
      } else abort.abort();
    }
    expect(seen).toEqual([0, 1, 2]);
  });

  it('takes the DICOM files of a folder for one slide, and never looks into a claimed folder', async () => {
    const root = await folder();
    await mkdir(join(root, 'series'));
    await mkdir(join(root, 'tiles'));
    for (const name of ['level-0.dcm', 'level-1.dcm']) await writeFile(join(root, 'series', name), 'x');
    await writeFile(join(root, 'tiles', 'manifest.json'), 'x');
    const abort = new AbortController();
    const opened: string[] = [];
    const options = {
      pollSeconds: 0.05,
      settleSeconds: 0.1,
      ignored: (path: string) => path === 'no',
      signal: abort.signal,
      open: async (path: string) => {
        opened.push(path.slice(root.length + 1));
        return path.endsWith('manifest.json') ? { value: path, claims: join(root, 'tiles') } : { value: path };
      },
    };
    for await (const { path } of watchFolder(root, options)) {
      if (path.endsWith('last.svs')) abort.abort();
      if (opened.length !== 2) continue;
      await writeFile(join(root, 'tiles', 'X0Y0.tif'), 'x');
      await mkdir(join(root, 'no'));
      await writeFile(join(root, 'no', 'qc.svs'), 'x');
      await writeFile(join(root, 'last.svs'), 'x');
    }
    expect(opened.toSorted()).toEqual(['last.svs', 'series', 'tiles/manifest.json']);
  });

  it('reports nothing of a file that is to be opened later', async () => {
    const root = await folder();
    await writeFile(join(root, 'later.svs'), 'half');
    const abort = new AbortController();
    let tries = 0;
    const open = async (path: string) => {
      const text = await readFile(path, 'utf8');
      if (text.endsWith('whole')) return { value: text };
      // Long after a file that cannot be opened would have been reported.
      if (++tries === 20) await writeFile(path, 'whole');
      return { later: true } as const;
    };
    const options = { pollSeconds: 0.05, settleSeconds: 0.1, open, signal: abort.signal };
    for await (const arrival of watchFolder(root, options)) {
      expect(arrival).toMatchObject({ opened: 'whole' });
      abort.abort();
    }
    expect(tries).toBe(20);
  });

  it('needs no events', async () => {
    const root = await folder();
    const abort = new AbortController();
    const open = async (path: string) => ({ value: await readFile(path, 'utf8') });
    const options = { mode: 'poll', pollSeconds: 0.1, settleSeconds: 1, open, signal: abort.signal } as const;
    setTimeout(() => void writeFile(join(root, 'late.svs'), 'whole'), 250);
    for await (const arrival of watchFolder(root, options)) {
      expect(arrival).toMatchObject({ path: join(root, 'late.svs') });
      abort.abort();
    }
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
