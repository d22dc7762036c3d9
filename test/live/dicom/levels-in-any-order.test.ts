import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { growthOf } from '#src/live/growth-of.js';
import type { Growth, LiveSlide } from '#src/live/live-slide.js';
import { planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import type { OpenedSlide, SlideInfo } from '#src/slide/slide.js';
import { gradient, type Picture } from '../../slide/tiff-writer.js';
import { GrowingFolder, half, instance, PICTURE } from './growing-folder.js';

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];
const WANTED = [0.25, 0.5, 1];

/** Three levels; those that were reduced say so, or, as some writers do, that they were not. */
const levels = (resampled: boolean): Buffer[] => [
  instance('1.1'),
  half('1.2', { resampled }),
  half('1.3', { resampled, picture: gradient(25, 18), number: 3, spacing: [0.001, 0.001] }),
];

/** What a run came to: of the slide as it was when it was opened, and the level that was read. */
interface Run {
  readonly info: SlideInfo;
  readonly growth: Growth;
  readonly level: number;
}

/** As the watcher does it: opens the slide after each step, follows what grows, and opens again what was replaced. */
async function watchThrough(
  folder: GrowingFolder,
  spacing: number,
  steps: readonly (() => void)[],
): Promise<Run | undefined> {
  const facts = { spacing, settleSeconds: 60, stallSeconds: 60, quiet: 61 };
  let last: Run | undefined;
  let followed: { live: LiveSlide; end: Promise<void>; run: Run } | undefined;
  const take = async (): Promise<void> => {
    for (;;) {
      const opened = await folder.open(facts).catch((error: unknown) => {
        // Not yet: too coarse, or not whole.
        if (error instanceof StromaflowError) return undefined;
        throw error;
      });
      if (opened === undefined || opened === 'later') return;
      const { info } = 'follow' in opened ? opened.opened : opened;
      const { level } = planPatches(info, { spacing });
      if (!('follow' in opened)) {
        last = { info, growth: growthOf(opened as OpenedSlide)!, level };
        return;
      }
      const read = async (): Promise<void> => {
        for await (const _ of opened.follow(level, new AbortController().signal));
        await opened.close();
      };
      followed = { live: opened, end: read(), run: { info, growth: opened.growth, level } };
      return;
    }
  };
  for (const step of steps) {
    step();
    if (!followed) await take();
    // What can end it is there: a level that is whole, or a finer one.
    if (followed && (await ended(followed.live))) await finish();
  }
  if (followed) await finish();
  await take();
  return last;

  async function finish(): Promise<void> {
    const { live, end, run } = followed!;
    await end;
    followed = undefined;
    if (live.state === 'complete') last = run;
    else await take();
  }
}

/** Gives a slide that is followed a few looks. */
async function ended(live: LiveSlide): Promise<boolean> {
  for (let look = 0; look < 10 && live.state === 'growing'; look++)
    await new Promise(resolve => setTimeout(resolve, 10));
  return live.state !== 'growing';
}

async function expectAsFinished(folder: GrowingFolder, spacing: number, last: Run | undefined): Promise<void> {
  const finished = await openSlide(folder.path, { id: 'slide' });
  const { level } = planPatches(finished.info, { spacing });
  const growth = growthOf(finished)!;
  // Levels that came behind the one that was read may not be known.
  expect([last?.info.levels[0], last?.info.levels[last.level]]).toEqual([
    finished.info.levels[0],
    finished.info.levels[level],
  ]);
  expect(last?.growth.identity).toBe(growth.identity);
  expect(last?.growth.content(last.level)).toBe(growth.content(level));
}

describe.each(ORDERS)('levels that come %i, %i, %i', (...order) => {
  it.each(WANTED)('end in that of %f µm/px, as in the finished slide, marked as reduced or not', async spacing => {
    for (const resampled of [true, false])
      for (const grows of [true, false]) {
        const folder = new GrowingFolder();
        const files = levels(resampled);
        const steps = order.flatMap(level => {
          const [name, bytes] = [`${level}.dcm`, files[level]!];
          const begin = () => writeFileSync(join(folder.path, name), bytes.subarray(0, bytes.length - 300));
          const whole = () => void folder.put(name, bytes);
          return grows ? [begin, () => writeFileSync(join(folder.path, name), bytes)] : [whole];
        });
        await expectAsFinished(folder, spacing, await watchThrough(folder, spacing, steps));
      }
  });
});

describe('focal planes that come in any order', () => {
  it('end in the middle one, as in the finished slide', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: -9, max: 9 }), { minLength: 2, maxLength: 4 }),
        fc.boolean(),
        async (depths, grows) => {
          const folder = new GrowingFolder();
          const steps = depths.flatMap((depth, i) => {
            const picture: Picture = { ...PICTURE, data: PICTURE.data.map(value => value ^ (depth + 9)) };
            const bytes = instance(`7.${i}`, { picture, depth, number: i + 1 });
            const begin = () => writeFileSync(join(folder.path, `${i}.dcm`), bytes.subarray(0, bytes.length - 300));
            const whole = () => void folder.put(`${i}.dcm`, bytes);
            return grows ? [begin, whole] : [whole];
          });
          const last = await watchThrough(folder, 0.25, steps);
          await expectAsFinished(folder, 0.25, last);
        },
      ),
      { numRuns: 25 },
    ));

  it('as parts of one concatenation likewise, of which none is given out before all are there', async () => {
    const places = Array.from({ length: 12 }, (_, i) => [i % 4, Math.floor(i / 4)] as const);
    const folder = new GrowingFolder();
    const steps = [4, -4, 0].map((depth, i) => {
      const picture: Picture = { ...PICTURE, data: PICTURE.data.map(value => value ^ (depth + 9)) };
      const bytes = instance(`8.${i}`, {
        picture,
        places,
        organisation: 'TILED_SPARSE',
        depths: places.map(() => depth),
        concatenation: { part: i + 1, parts: 3, before: i * 12 },
        extra: [[0x0048_0303, 'UL', 3]],
      });
      return () => void folder.put(`${i}.dcm`, bytes);
    });
    steps[0]!();
    const live = await folder.openLive({ stallSeconds: 60 });
    const came: number[] = [];
    const end = (async () => {
      for await (const { tiles } of live.follow(0, new AbortController().signal)) came.push(...tiles);
      await live.close();
    })();
    steps[1]!();
    expect([await ended(live), came]).toEqual([false, []]);
    steps[2]!();
    await end;
    expect([live.state, came.length]).toEqual(['complete', 12]);
    await expectAsFinished(folder, 0.25, { info: live.opened.info, growth: live.growth, level: 0 });
  });
});

describe('two files of one UID', () => {
  it.each([
    ['the same frames', false],
    ['others', true],
  ])('with %s end in the first by its name, whichever came first', async (_, differs) => {
    for (const names of [
      ['a.dcm', 'b.dcm'],
      ['b.dcm', 'a.dcm'],
    ]) {
      const folder = new GrowingFolder();
      const steps = names.map((name, i) => {
        const picture: Picture = differs ? { ...PICTURE, data: PICTURE.data.map(value => value ^ i) } : PICTURE;
        return () => void folder.put(name, instance('5.5', { picture }));
      });
      const last = await watchThrough(folder, 0.25, steps);
      await expectAsFinished(folder, 0.25, last);
    }
  });
});
