import { mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import { nameSlides } from '#pipelines/name-slides.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';
import { partsWith, recording, withSegmenter } from '../support/parts.js';
import { emptyFolder } from '../support/paths.js';
import { kinds, maskOf, segmentFinished } from './live-support.js';

const CONFIG = { 'patch-size': 128, mpp: 0.5, spacing: 0.5, batch: 1 } as const;
const page = (shade: number): PageOptions => {
  const picture = gradient(384, 256);
  return {
    picture: { ...picture, data: picture.data.map(value => Math.max(1, value - shade)) },
    tile: [64, 64],
    resolution: 20_000,
  };
};
const [OLD, NEW] = [writeTiff([page(0)]), writeTiff([page(90)])];

describe('a whole slide that is written over while it is segmented', () => {
  it.each<[string, (path: string) => void]>([
    ['in place', path => writeFileSync(path, NEW)],
    [
      'in place, its time set back',
      path => {
        writeFileSync(path, NEW);
        utimesSync(path, 1000, 1000);
      },
    ],
    [
      'by another file',
      path => {
        writeFileSync(`${path}.part`, NEW);
        renameSync(`${path}.part`, path);
      },
    ],
  ])('%s ends, and then the new one is segmented', async (_, replace) => {
    expect(NEW.length).toBe(OLD.length);
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const path = join(folder, 'a.tiff');
    const opened = await partsWith({ out, poll: 0.05, settle: 0.2, ...CONFIG });
    const { current } = opened.models;
    let patches = 0;
    const slow = withSegmenter(opened, async slots => {
      // All patches were of one file, and some of them done, when another one took its place.
      if (++patches === 3) replace(path);
      return current.segmenter.segment(slots);
    });
    const { parts, events } = recording(slow);
    const abort = new AbortController();
    writeFileSync(path, OLD);
    utimesSync(path, 1000, 1000);
    const watching = lastValueFrom(segmentLive(folder, parts, abort.signal).pipe(take(2), toArray()));
    const results = await watching;
    abort.abort();
    await opened.close();
    expect(results).toMatchObject([{ state: 'incomplete', reason: 'replaced' }, { state: 'completed' }]);
    const states = kinds(events).filter(kind => !['mask', 'aggregate', 'progress'].includes(kind));
    expect(states).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    const finished = await segmentFinished(path, 'a', 0.5, undefined, CONFIG);
    expect(await maskOf(out, 'a')).toEqual(finished.mask);
    const { fingerprint } = (await openSlide(path)).info;
    expect(results[1]).toMatchObject({ summary: { source: { fingerprint } } });
  });
});

describe('slides of one name', () => {
  const segment = async (out: string, paths: readonly string[], said: string[] = []) => {
    const parts = await partsWith({ out, ...CONFIG });
    try {
      const tasks = await nameSlides(paths, parts, line => said.push(line));
      const results = segmentSlides(
        (async function* () {
          yield* tasks;
        })(),
        parts,
        new AbortController().signal,
      );
      return await lastValueFrom(results.pipe(toArray()));
    } finally {
      await parts.close();
    }
  };

  it('have results of their own, the same whatever the order and however often they are asked for', async () => {
    const folder = await emptyFolder();
    for (const [name, bytes] of [
      ['a', OLD],
      ['b', NEW],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'S1.tiff'), bytes);
    }
    const [a, b] = ['a', 'b'].map(name => join(folder, name, 'S1.tiff')) as [string, string];
    const out = await emptyFolder();
    const said: string[] = [];
    const results = await segment(out, [b, a, join(folder, 'a', '..', 'a', 'S1.tiff')], said);
    const ids = Object.fromEntries(results.map(({ path, id }) => [path, id]));
    expect(results.map(({ state }) => state)).toEqual(['completed', 'completed']);
    expect(ids[a]).toBe('S1');
    expect(ids[b]).toMatch(/^S1-[0-9a-f]{8}$/);
    expect(said).toEqual([expect.stringContaining('once more'), expect.stringContaining(`because S1 is ${a}`)]);
    for (const path of [a, b]) {
      const { mask } = await segmentFinished(path, ids[path]!, 0.5, undefined, CONFIG);
      expect(await maskOf(out, ids[path]!), path).toEqual(mask);
    }
    const again = await segment(out, [a, b]);
    expect(Object.fromEntries(again.map(({ path, id, state }) => [path, [id, state]]))).toEqual({
      [a]: ['S1', 'done-before'],
      [b]: [ids[b], 'done-before'],
    });
    const elsewhere = await emptyFolder();
    expect((await segment(elsewhere, [b]))[0]).toMatchObject({ id: 'S1', state: 'completed' });
    expect((await segment(elsewhere, [a]))[0]).toMatchObject({ id: expect.stringMatching(/^S1-/), state: 'completed' });
    expect((await segment(elsewhere, [b]))[0]).toMatchObject({ id: 'S1', state: 'done-before' });
  });
});
