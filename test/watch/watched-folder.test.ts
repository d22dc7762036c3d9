import { promises as fs, mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type PresenceChange, WatchedFolder } from '#src/watch/watched-folder.js';
import { temporaryFolder } from '../support/temporary.js';

const never = new AbortController().signal;

/** A folder that can be taken away. */
function share(...names: readonly string[]) {
  const above = temporaryFolder('share');
  const root = join(above, 'scans');
  const elsewhere = join(above, 'elsewhere');
  mkdirSync(root);
  const put = (name: string): string => {
    writeFileSync(join(root, name), '');
    return join(root, name);
  };
  const paths = names.map(put);
  const changes: PresenceChange[] = [];
  const listed: { call(): void } = { call: () => undefined };
  const ignored = (path: string): boolean => {
    // Its last file is being listed.
    if (path === paths.at(-1)) listed.call();
    return false;
  };
  const folder = new WatchedFolder(root, ignored, change => changes.push(change));
  return {
    ...{ root, paths, folder, changes, put, listed },
    away: (leaves: 'an empty folder' | 'nothing' | 'a file') => {
      renameSync(root, elsewhere);
      if (leaves === 'an empty folder') mkdirSync(root);
      if (leaves === 'a file') writeFileSync(root, '');
    },
    back: () => {
      rmSync(root, { recursive: true, force: true });
      renameSync(elsewhere, root);
    },
  };
}

describe('a watched folder', () => {
  it.each([
    ['nothing', 'is not there'],
    ['an empty folder', 'an empty folder stands in its place'],
    ['a file', 'is no folder'],
  ] as const)('that leaves %s behind is away until it is back', async (leaves, reason) => {
    const { folder, paths, changes, away, back, root } = share('a.svs', 'b.svs');
    expect(await folder.look()).toEqual(paths);
    expect([folder.wasThere, folder.reason, folder.isAway(paths[0]!)]).toEqual([true, undefined, false]);
    away(leaves);
    // Whoever misses a file knows at once, before the next look at the whole.
    expect([folder.wasAway(paths[0]!), folder.isAway(paths[0]!)]).toEqual([false, true]);
    expect(await folder.look()).toBeUndefined();
    expect(folder.reason).toBe(`${root}: ${reason}`);
    expect(await folder.look()).toBeUndefined();
    expect(changes).toEqual([{ folder: root, away: folder.reason, seconds: 0 }]);
    back();
    expect(await folder.look()).toEqual(paths);
    expect([folder.reason, folder.isAway(paths[0]!), folder.outages]).toEqual([undefined, false, 1]);
    expect(changes[1]).toMatchObject({ folder: root, away: undefined, seconds: expect.any(Number) });
    expect(changes).toHaveLength(2);
  });

  it.each(['nothing', 'an empty folder'] as const)(
    'that leaves %s behind while it is looked into is away',
    async leaves => {
      const { folder, paths, away, back, listed } = share('a.svs', 'b.svs');
      await folder.look(1);
      listed.call = () => {
        listed.call = () => undefined;
        away(leaves);
      };
      // Its slides were listed, and what stands there by then is another folder.
      expect(await folder.look(1)).toBeUndefined();
      expect([folder.isAway(paths[0]!), await folder.look(1)]).toEqual([true, undefined]);
      back();
      expect([await folder.look(1), folder.isAway(paths[0]!), folder.outages]).toEqual([paths, false, 1]);
    },
  );

  it('that comes to stand there while another is looked into for the first time is the one that is known', async () => {
    const { folder, paths, away, back, listed, put } = share('a.svs');
    listed.call = () => {
      listed.call = () => undefined;
      away('an empty folder');
      put('c.svs');
    };
    const [found] = (await folder.look())!;
    expect(found).toMatch(/c\.svs$/);
    expect(folder.isAway(found!)).toBe(false);
    // The other one has slides too.
    back();
    expect(await folder.look()).toEqual(paths);
  });

  it('that is another one each time it is listed is away', async () => {
    const { folder, root, paths, listed } = share('a.svs');
    await folder.look(1);
    let times = 0;
    listed.call = () => {
      times += 1;
      renameSync(root, `${root}-${times}`);
      mkdirSync(root);
      writeFileSync(paths[0]!, '');
    };
    expect([await folder.look(1), times]).toEqual([undefined, 3]);
    listed.call = () => undefined;
    expect(await folder.look(1)).toEqual(paths);
  });

  it('that is empty, or from which files are deleted, is there', async () => {
    const { folder, paths } = share('a.svs');
    expect(await share().folder.look()).toEqual([]);
    await folder.look();
    rmSync(paths[0]!);
    expect([await folder.look(1), folder.isAway(paths[0]!), folder.reason]).toEqual([[], false, undefined]);
  });

  it('of which several slides vanish at once while they are worked on is away until anything is there', async () => {
    const { folder, paths, put } = share('a.svs', 'b.svs');
    await folder.look(2);
    for (const path of paths) rmSync(path);
    expect(await folder.look(2)).toBeUndefined();
    expect(folder.reason).toMatch(/all that was in it has vanished/);
    put('c.svs');
    expect(await folder.look(2)).toHaveLength(1);
  });

  it('is replaced by another folder when there are slides in that', async () => {
    const { folder, away, put, root, paths } = share('a.svs');
    await folder.look();
    away('an empty folder');
    put('NOT_MOUNTED');
    expect(await folder.look(1)).toBeUndefined();
    expect(folder.reason).toMatch(/another folder, without slides,/);
    const other = put('other.svs');
    expect(await folder.look(1)).toContain(other);
    expect([folder.reason, folder.isAway(paths[0]!)]).toEqual([undefined, false]);
    expect(folder.root).toBe(root);
  });

  it('is the same one when what it held is back, whatever its inode', async () => {
    const { folder, away, put, paths } = share('IM0001');
    await folder.look();
    away('an empty folder');
    expect(await folder.look()).toBeUndefined();
    put('IM0001');
    expect(await folder.look()).toEqual(paths);
  });

  it('that was never there is an error of the system', async () => {
    await expect(new WatchedFolder('/nowhere/at/all').look()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('has a clock that stands still while it is away', async () => {
    const { folder, away, back } = share('a.svs');
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1000);
    await folder.look();
    expect(folder.now()).toBe(1000);
    clock.mockReturnValue(1500);
    away('nothing');
    await folder.look();
    clock.mockReturnValue(9000);
    expect(folder.now()).toBe(1500);
    back();
    await folder.look();
    clock.mockReturnValue(9200);
    expect(folder.now()).toBe(1700);
    clock.mockRestore();
  });

  it('lets those wait who miss something, and asks for a look on their behalf', async () => {
    const { folder, away, back, paths } = share('a.svs');
    await folder.look();
    expect(await folder.back(paths[0]!, never)).toBe(true);
    let doubts = 0;
    folder.whenInDoubt(() => {
      doubts += 1;
    });
    away('an empty folder');
    const waiting = [folder.back(paths[0]!, never), folder.back(paths[0]!, never)];
    expect(doubts).toBe(2);
    back();
    expect(await Promise.all(waiting)).toEqual([true, true]);
    away('nothing');
    const stop = new AbortController();
    const stopped = folder.back(paths[0]!, stop.signal);
    stop.abort();
    expect(await stopped).toBe(false);
  });

  it('keeps what a folder below it held that cannot be looked into', async () => {
    const { folder, root, changes } = share('a.svs');
    mkdirSync(join(root, 'case', 'deep'), { recursive: true });
    const inside = join(root, 'case', 'deep', 'b.svs');
    writeFileSync(inside, '');
    expect(await folder.look()).toContain(inside);
    // As a share answers whose server was started again.
    const ask = fs.stat;
    const stat = vi.spyOn(fs, 'stat').mockImplementation((async (path: string) => {
      if (path === join(root, 'case')) throw Object.assign(new Error('stale'), { code: 'ESTALE' });
      return ask(path);
    }) as typeof fs.stat);
    expect(await folder.look()).toEqual([join(root, 'a.svs'), inside]);
    expect([folder.wasAway(inside), folder.wasAway(join(root, 'a.svs'))]).toEqual([true, false]);
    expect(folder.reason).toBe(`${join(root, 'case')}: cannot be looked into (ESTALE)`);
    stat.mockRestore();
    expect(await folder.look()).toContain(inside);
    expect(changes.map(({ folder: at, away }) => [at, away === undefined])).toEqual([
      [join(root, 'case'), false],
      [join(root, 'case'), true],
    ]);
    rmSync(inside);
    rmdirSync(join(root, 'case', 'deep'));
    rmdirSync(join(root, 'case'));
    expect(await folder.look()).toEqual([join(root, 'a.svs')]);
  });
});
