import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, Candidates } from '#src/watch/candidates.js';
import type { SeenFile } from '#src/watch/folder-tree.js';

const seen = (path: string, { size = 1, mtimeMs = 1, ctimeMs = 1, inode = 1, birthMs = 1 } = {}): SeenFile => ({
  path,
  size,
  mtimeMs,
  ctimeMs,
  inode,
  birthMs,
});
const paths = (given: Iterable<Candidate>): string[] => [...given].map(candidate => candidate.seen.path);

/** A folder in memory, looked at as the watcher does. */
function folderOf(files: Record<string, Partial<Omit<SeenFile, 'path'>>>) {
  const candidates = new Candidates();
  const look = (): Map<string, Candidate> => {
    const all = Object.keys(files);
    const asked = candidates.toStat(all);
    candidates.notice(
      all,
      asked.map(path => seen(path, files[path])),
    );
    return new Map([...candidates.open()].map(candidate => [candidate.seen.path, candidate]));
  };
  return { candidates, files, look };
}

describe('a file of a watched folder', () => {
  it('is quiet from the second look that finds it unchanged, until it changes', () => {
    const { files, look } = folderOf({ '/w/a.svs': {} });
    expect(look().get('/w/a.svs')).toMatchObject({ quietLooks: 0, renamed: false });
    expect(look().get('/w/a.svs')?.quietLooks).toBe(1);
    for (const change of [{ size: 2 }, { mtimeMs: 5 }, { inode: 9 }, { ctimeMs: 9 }]) {
      files['/w/a.svs'] = change;
      expect(look().get('/w/a.svs')?.quietLooks).toBe(0);
      expect(look().get('/w/a.svs')?.quietLooks).toBe(1);
    }
  });

  it('was renamed when its inode stood under a temporary name in the look before', () => {
    const { files, look } = folderOf({ '/w/.a.svs.part': { inode: 7 }, '/w/b.svs.tmp': { inode: 8 } });
    expect(look().size).toBe(0);
    delete files['/w/.a.svs.part'];
    files['/w/a.svs'] = { inode: 7 };
    files['/w/c.svs'] = { inode: 9 };
    const found = look();
    expect([found.get('/w/a.svs')?.renamed, found.get('/w/c.svs')?.renamed]).toEqual([true, false]);
  });

  it('was not renamed when a new file has the inode of a temporary one that was deleted', () => {
    const { files, look } = folderOf({ '/w/.a.svs.part': { inode: 7, birthMs: 1 } });
    look();
    delete files['/w/.a.svs.part'];
    files['/w/b.svs'] = { inode: 7, birthMs: 2 };
    expect(look().get('/w/b.svs')?.renamed).toBe(false);
  });

  it('is looked at anew when nobody could see it for a while', () => {
    const { candidates, look } = folderOf({ '/w/a.svs': {}, '/w/b.svs': {} });
    look().get('/w/b.svs')!.settled = true;
    expect(look().get('/w/a.svs')?.quietLooks).toBe(1);
    candidates.lookAnew();
    expect([...look().values()]).toMatchObject([{ seen: { path: '/w/a.svs' }, quietLooks: 1 }]);
  });

  it('that was settled is tried again when it changes, and one that is gone is forgotten', () => {
    const { files, look } = folderOf({ '/w/a.svs': {}, '/w/b.svs': {} });
    for (const candidate of look().values()) candidate.settled = true;
    expect(look().size).toBe(0);
    files['/w/a.svs'] = { size: 2 };
    expect([...look().keys()]).toEqual(['/w/a.svs']);
    delete files['/w/b.svs'];
    look();
    files['/w/b.svs'] = {};
    expect([...look().keys()]).toContain('/w/b.svs');
  });

  it('that is followed is left to its follower, whatever becomes of it or takes its name', () => {
    const { files, look, candidates } = folderOf({ '/w/a.svs': { inode: 1 } });
    const followed = look().get('/w/a.svs')!;
    followed.busy = true;
    expect([candidates.isBusy('/w/a.svs'), candidates.followed]).toEqual([true, 1]);
    for (const change of [
      { inode: 1, size: 99 },
      { inode: 2, size: 99 },
    ]) {
      files['/w/a.svs'] = change;
      expect(look().size).toBe(0);
    }
    delete files['/w/a.svs'];
    expect([look().size, candidates.followed]).toEqual([0, 1]);
    files['/w/a.svs'] = { inode: 3 };
    expect(look().size).toBe(0);
    followed.busy = false;
    expect([...look().values()]).toMatchObject([{ seen: { inode: 3 }, busy: false }]);
    delete files['/w/a.svs'];
    expect([look().size, candidates.isBusy('/w/a.svs'), candidates.isBusy('/w/unknown.svs')]).toEqual([
      0,
      false,
      false,
    ]);
  });

  it('is not tried before its time', () => {
    const { look } = folderOf({ '/w/a.svs': {} });
    const candidate = look().get('/w/a.svs')!;
    candidate.notBefore = performance.now() + 3_600_000;
    expect(look().size).toBe(0);
    candidate.notBefore = performance.now() - 1;
    expect(look().size).toBe(1);
  });

  it('in thousands that lie still is asked about in turn: all of them, a few a look', () => {
    const names = Array.from({ length: 1050 }, (_, index) => `/w/${index}.svs`);
    const { candidates, look } = folderOf(Object.fromEntries(names.map((name, inode) => [name, { inode }])));
    for (const candidate of look().values()) candidate.settled = true;
    const asked = new Set<string>();
    for (let turn = 0; turn < 6; turn++) {
      const now = candidates.toStat(names);
      expect(now.length).toBeLessThanOrEqual(200);
      for (const path of now) asked.add(path);
    }
    expect(asked.size).toBe(names.length);
  });
});

describe('what describes a folder', () => {
  it('is tried before the files that may belong to it', () => {
    const { look } = folderOf({ '/w/t/X0Y0.tif': {}, '/w/a.svs': {}, '/w/t/manifest.json': {} });
    expect([...look().keys()][0]).toBe('/w/t/manifest.json');
  });

  it('claims what lies in its folder and below, before and after, but no other folder', () => {
    const { files, look } = folderOf({ '/w/t/manifest.json': {}, '/w/t/deep/X0Y0.tif': {}, '/w/t2/b.tif': {} });
    const [description] = look().values();
    Object.assign(description!, { claims: '/w/t', settled: true });
    expect([...look().keys()]).toEqual(['/w/t2/b.tif']);
    files['/w/t/X1Y1.tif'] = {};
    files['/w/t/manifest.json'] = { size: 2 };
    expect([...look().keys()].toSorted()).toEqual(['/w/t/manifest.json', '/w/t2/b.tif']);
  });

  it('claims the folder of an acquisition by its parameters alone', () => {
    const { look } = folderOf({ '/w/s/acquisition parameters.json': {}, '/w/s/0/field.tiff': {}, '/w/b.tiff': {} });
    expect([...look().keys()]).toEqual(['/w/b.tiff']);
  });

  it('gives its parts a turn each, which are forgotten and change with it', () => {
    const { candidates, files, look } = folderOf({ '/w/coordinates.csv': {} });
    const [table] = look().values();
    candidates.divide(table!, ['/w/coordinates.csv#a', '/w/coordinates.csv#b']);
    table!.settled = true;
    const parts = look();
    expect([...parts.keys()]).toEqual(['/w/coordinates.csv#a', '/w/coordinates.csv#b']);
    for (const part of parts.values()) part.settled = true;
    expect(look().size).toBe(0);
    files['/w/coordinates.csv'] = { size: 9 };
    expect([...look().keys()].toSorted()).toEqual([
      '/w/coordinates.csv',
      '/w/coordinates.csv#a',
      '/w/coordinates.csv#b',
    ]);
    delete files['/w/coordinates.csv'];
    expect(look().size).toBe(0);
    files['/w/coordinates.csv'] = {};
    expect([...look().keys()]).toEqual(['/w/coordinates.csv']);
  });
});

describe('the DICOM files of a folder', () => {
  it('are one candidate that changes when any of them does, in whatever order they are listed', () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), fc.nat(), fc.constantFrom('size', 'mtimeMs'), (count, pick, fact) => {
        const names = Array.from({ length: count }, (_, index) => `/w/s/part-${index}.dcm`);
        const { files, look } = folderOf(Object.fromEntries(names.map((name, at) => [name, { mtimeMs: at, size: 5 }])));
        expect([...look().keys()]).toEqual(['/w/s']);
        expect(look().get('/w/s')?.quietLooks).toBe(1);
        const name = names[pick % count]!;
        files[name] = { ...files[name], [fact]: 100 };
        expect(look().get('/w/s')?.quietLooks).toBe(0);
        delete files[name];
        expect(look().get('/w/s')?.quietLooks).toBe(0);
      }),
    ));

  it('are left to their follower as a whole', () => {
    const { candidates, look, files } = folderOf({ '/w/s/a.dcm': {}, '/w/s/b.dcm': {}, '/w/s/.c.dcm.part': {} });
    look().get('/w/s')!.busy = true;
    expect(candidates.isBusy('/w/s/b.dcm')).toBe(true);
    expect(candidates.toStat(Object.keys(files))).toEqual(['/w/s/.c.dcm.part']);
    expect(paths(candidates.open())).toEqual([]);
  });
});
