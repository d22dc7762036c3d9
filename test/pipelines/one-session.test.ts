import { once } from 'node:events';
import { mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom, of, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import { nameSlides } from '#pipelines/name-slides.js';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideTask } from '#pipelines/slide-task.js';
import { StromaflowError } from '#src/errors.js';
import type { BusEvent } from '#src/event/bus.js';
import { EVENT_TYPES } from '#src/event/event-types.js';
import { WholeSlide } from '#src/live/whole-slide.js';
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

const slideStates = (events: readonly BusEvent[]): string[] =>
  kinds(events).filter(kind => !['mask', 'aggregate', 'progress'].includes(kind));

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
    expect(slideStates(events)).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    const finished = await segmentFinished(path, 'a', 0.5, undefined, CONFIG);
    expect(await maskOf(out, 'a')).toEqual(finished.mask);
    const { fingerprint } = (await openSlide(path)).info;
    expect(results[1]).toMatchObject({ summary: { source: { fingerprint } } });
  });
});

describe('a whole slide of a watched folder', () => {
  const watched = async () => {
    const path = join(await emptyFolder(), 'a.tiff');
    writeFileSync(path, OLD);
    const opened = await partsWith({ out: await emptyFolder(), ...CONFIG });
    const whole = await WholeSlide.open([path], { pollSeconds: 0.02 }, () => openSlide(path, { id: 'a' }));
    whole.keepLooking();
    return { path, whole, opened, ...recording(opened) };
  };
  const run = (task: SlideTask, parts: Parts) =>
    lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));

  it('that is written over after it was opened and before its first patch ends, and is opened again', async () => {
    const { path, whole, opened, parts, events } = await watched();
    const { bus } = parts;
    const replacing = Object.create(bus, {
      publish: {
        value: async (event: BusEvent, signal?: AbortSignal) => {
          await bus.publish(event, signal);
          if (event.type !== EVENT_TYPES.slide('opened')) return;
          writeFileSync(path, NEW);
          while (!whole.replaced.aborted) await once(whole.replaced, 'abort');
        },
      },
    });
    const task = { path, id: 'a', whole, open: async () => whole.opened };
    const result = await run(task, { ...parts, bus: replacing });
    await opened.close();
    expect(result).toMatchObject({ state: 'incomplete', reason: 'replaced', done: 0 });
    expect(await whole.closed).toBe(true);
    expect(slideStates(events)).toEqual(['opened', 'incomplete']);
  });

  it.each([
    [1, 'completed'],
    [2, 'completed'],
    [3, 'failed'],
  ])('that could not be found %d times while its folder was away is %s', async (times, state) => {
    const { path, whole, opened, parts } = await watched();
    let tries = 0;
    const open = async () => {
      if (++tries <= times) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened again`);
      return whole.opened;
    };
    const result = await run({ path, id: 'a', whole, open }, parts);
    await opened.close();
    expect(result.state).toBe(state);
    expect(tries).toBe(Math.min(times + 1, 3));
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
