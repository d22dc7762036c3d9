import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { segmentLive, watchedFolder } from '#pipelines/live.js';
import type { Parts } from '#pipelines/parts.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { BusEvent } from '#src/event/bus.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { TAG } from '#src/slide/dicom/tags.js';
import type { SlideSummary } from '#src/store/summary.js';
import { writeInstance } from '../slide/dicom/instance-writer.js';
import { cut, encodeJpeg, type PageOptions, type Picture, writeTiff } from '../slide/tiff-writer.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder } from '../support/paths.js';
import { maskOf, masks, segmentFinished } from './live-support.js';
import { type Copying, copyTo, type FileClock, ScannerShare } from './scanner-share.js';

/** More of them, others, or one that failed once more: WATCH_RUNS=50 WATCH_SEED=7 npx vitest run … watch-random. */
const RUNS = Number(process.env['WATCH_RUNS'] ?? 4);
const SEED = process.env['WATCH_SEED'];

const PATCH = 128;
const CONFIG = { 'patch-size': PATCH, mpp: 0.5, spacing: 0.5, batch: 4, readers: 2 } as const;
/** A slide that is not written to for so long has stalled; no outage and no busy machine takes as long. */
const WATCH = { ...CONFIG, poll: 0.1, settle: 0.5, 'incomplete-after': 60 } as const;

/** Pink tissue with dark spots where the seed has them, no two alike. No pixel is black: zeros are room that was reserved. */
function specimen(seed: number, width = 512, height = 320): Picture {
  const data = new Uint8Array(width * height * 3);
  let state = seed * 2654435761 + 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let at = 0; at < data.length; at += 3) data.set([216 + random() * 16, 180, 210], at);
  for (let spot = 0; spot < 12; spot++) {
    const [x, y] = [Math.floor(random() * (width - 40)), Math.floor(random() * (height - 40))];
    const side = 8 + Math.floor(random() * 32);
    for (let row = y; row < y + side; row++)
      for (let col = x; col < x + side; col++) data.set([90, 40 + side, 120], (row * width + col) * 3);
  }
  return { width, height, samples: 3, data };
}

const tiffOf = (seed: number, compression: 'none' | 'jpeg' | 'deflate'): Buffer => {
  const page: PageOptions = { picture: specimen(seed), tile: [64, 64], compression, resolution: 20_000 };
  const small: PageOptions = {
    ...page,
    picture: cut(page.picture, 0, 0, 256, 160),
    subfileType: 1,
    resolution: 10_000,
  };
  return writeTiff([page, small]);
};

const clocks: fc.Arbitrary<FileClock> = fc.constantFrom<FileClock>(
  undefined,
  { at: 315_532_800 },
  { off: -900 },
  { off: 3600 },
);
const copying: fc.Arbitrary<Copying> = fc.record({
  how: fc.constantFrom('grown', 'reserved', 'shuffled', 'renamed'),
  clock: clocks,
  pieces: fc.integer({ min: 2, max: 9 }),
  pauses: fc.array(fc.nat({ max: 90 }), { minLength: 3, maxLength: 5 }),
  order: fc.array(fc.nat(), { minLength: 9, maxLength: 9 }),
});
const coding = fc.constantFrom('none', 'jpeg', 'deflate');
const seeds = fc.nat({ max: 9999 });

const slides = fc.oneof(
  fc.record({ kind: fc.constant('copy'), seed: seeds, coding, copying }),
  // Two slides with one name, but for what kind of file they are.
  fc.record({ kind: fc.constant('twins'), seed: seeds, coding, copying, other: copying }),
  fc.record({ kind: fc.constant('moved'), seed: seeds, coding, copying, at: fc.nat({ max: 12 }) }),
  fc.record({
    kind: fc.constant('rescanned'),
    seed: seeds,
    coding,
    copying,
    other: copying,
    after: fc.nat({ max: 900 }),
  }),
  fc.record({
    kind: fc.constant('scan'),
    seed: seeds,
    as: fc.constantFrom('growing-tiff', 'tile-folder', 'dicom', 'ndtiff'),
    order: fc.constantFrom('rows', 'stripes', 'random'),
    preallocate: fc.boolean(),
    pauses: fc.array(fc.nat({ max: 30 }), { minLength: 2, maxLength: 4 }),
  }),
  // Its levels in any order, under names that say nothing.
  fc.record({
    kind: fc.constant('levels'),
    seed: seeds,
    copying,
    order: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
  }),
);
type Slide = typeof slides extends fc.Arbitrary<infer T> ? T : never;

const outages = fc.array(
  fc.record({
    after: fc.nat({ max: 700 }),
    leaves: fc.constantFrom('an empty folder', 'nothing'),
    isNoticed: fc.boolean(),
    ms: fc.nat({ max: 250 }),
  }),
  { maxLength: 2 },
);

/** What a slide is in the end, and how many runs of it may be completed: more than one when it was scanned more than once. */
interface Expected {
  /** Below the share. */
  readonly path: string;
  readonly runs: number;
}

/** Brings a slide to the share; resolves, when all of it is there, to what should be found. */
async function deliver(share: ScannerShare, slide: Slide, name: string): Promise<Expected[]> {
  switch (slide.kind) {
    case 'copy': {
      await copyTo(share, `${name}.svs`, tiffOf(slide.seed, slide.coding), slide.copying);
      return [{ path: `${name}.svs`, runs: 1 }];
    }
    case 'twins': {
      const [one, other] = [`${name}.svs`, `${name}.tiff`];
      await Promise.all([
        copyTo(share, one, tiffOf(slide.seed, slide.coding), slide.copying),
        copyTo(share, other, tiffOf(slide.seed + 1, slide.coding), slide.other),
      ]);
      return [one, other].map(path => ({ path, runs: 1 }));
    }
    case 'moved': {
      const there = `${name}-moved.tiff`;
      let isThere = false;
      await copyTo(share, `${name}.tiff`, tiffOf(slide.seed, slide.coding), slide.copying, piece => {
        if (isThere || piece < slide.at || slide.copying.how === 'renamed') return undefined;
        isThere = true;
        return there;
      });
      if (!isThere) {
        await sleep(slide.at * 70);
        await share.pass();
        renameSync(join(share.root, `${name}.tiff`), join(share.root, there));
      }
      return [{ path: there, runs: 1 }];
    }
    case 'rescanned': {
      const path = `${name}.tiff`;
      await copyTo(share, path, tiffOf(slide.seed, slide.coding), slide.copying);
      await sleep(slide.after);
      await copyTo(share, path, tiffOf(slide.seed + 1, slide.coding), slide.other);
      return [{ path, runs: 2 }];
    }
    case 'scan': {
      const { as, order, preallocate, pauses, seed } = slide;
      const source = join(await emptyFolder(), `${name}.tiff`);
      writeFileSync(source, tiffOf(seed, as === 'ndtiff' ? 'none' : 'jpeg'));
      let tiles = 0;
      let wroteAt: number | undefined;
      const onTile = async (): Promise<void> => {
        wroteAt = share.wrote(wroteAt);
        await sleep(pauses[tiles++ % pauses.length]);
        await share.park();
      };
      const partTiles = as === 'dicom' ? 7 : 0;
      const options = { as, order, preallocate, partTiles, seed, mpp: 0.5, rate: 0, onTile };
      const { path } = await share.writing(() => simulateScan(source, share.root, options));
      return [{ path: basename(path), runs: 1 }];
    }
    case 'levels': {
      const { seed, order, copying: given } = slide;
      await share.pass();
      mkdirSync(join(share.root, name));
      const levels = levelsOf(seed);
      for (const index of order) await copyTo(share, join(name, `${index}`), levels[index]!, inFolder(given));
      return [{ path: name, runs: 1 }];
    }
  }
}

/** A name under which a file stands before it is renamed is made of the whole path. */
const inFolder = (given: Copying): Copying => (given.how === 'renamed' ? { ...given, how: 'grown' } : given);

/** A DICOM slide's levels, the coarser ones marked as reduced from it. */
function levelsOf(seed: number): Buffer[] {
  const picture = specimen(seed);
  return [1, 2, 4].map((factor, index) => {
    const level = cut(picture, 0, 0, picture.width / factor, picture.height / factor);
    return writeInstance({
      ...{ picture: level, tile: [64, 64], syntax: 'jpeg', encode: tile => encodeJpeg(tile, 90), number: index + 1 },
      ...{ series: `1.2.${seed}`, spacing: [0.0005 * factor, 0.0005 * factor], resampled: factor > 1 },
      extra: [[TAG.sopInstanceUid, 'UI', `1.2.${seed}.${index}`]],
    });
  });
}

interface Watched {
  readonly results: SlideResult[];
  readonly events: BusEvent[];
  readonly folder: ReturnType<typeof watchedFolder>;
  /** Resolves when there is another result. */
  next(): Promise<void>;
  stop(): Promise<void>;
}

async function watch(root: string, out: string): Promise<Watched> {
  const opened = await partsWith({ out, ...WATCH });
  const { parts, events }: { parts: Parts; events: BusEvent[] } = recording(opened);
  const folder = watchedFolder(root, parts.config);
  const abort = new AbortController();
  const results: SlideResult[] = [];
  let wake: () => void = () => undefined;
  const over = new Promise<void>((resolve, reject) => {
    segmentLive(folder, parts, abort.signal).subscribe({
      next: result => {
        results.push(result);
        wake();
      },
      error: reject,
      complete: resolve,
    });
  });
  return {
    ...{ results, events, folder },
    next: () =>
      Promise.race([
        over,
        new Promise<void>(resolve => {
          wake = resolve;
        }),
      ]),
    stop: async () => {
      abort.abort();
      await over;
      await opened.close();
    },
  };
}

const isOf = (path: string) => (result: SlideResult) => result.path === path || result.path.startsWith(`${path}/`);

type Completed = Extract<SlideResult, { state: 'completed' }>;
const isCompleted = (result: SlideResult): result is Completed => result.state === 'completed';

const found = ({ area, patches }: Pick<SlideSummary, 'area' | 'patches'>) => ({ area, patches });

it('whatever comes in whatever way: each slide is completed once, as segment does it', {
  timeout: 1_800_000,
}, async () => {
  const plans = fc.record({ given: fc.array(slides, { minLength: 4, maxLength: 6 }), outages });
  await fc.assert(
    fc.asyncProperty(plans, async ({ given, outages: away }) => {
      const share = new ScannerShare(await emptyFolder());
      const out = await emptyFolder();
      const first = await watch(share.root, out);
      const interrupting = (async () => {
        // What was never there is no folder that is away.
        while (!first.folder.wasThere) await sleep(5);
        for (const { after, leaves, isNoticed, ms } of away) {
          await sleep(after);
          await share.takeAway(leaves);
          while (isNoticed && first.folder.reason === undefined) await sleep(20);
          await sleep(ms);
          share.bringBack(leaves);
        }
      })();
      const delivered = await Promise.all(given.map((slide, index) => deliver(share, slide, `slide-${index}`)));
      await interrupting;
      const expected = delivered.flat();
      const ids = new Set<string>();
      for (const { path, runs } of expected) {
        const isIts = isOf(join(share.root, path));
        const done = (): Completed[] => first.results.filter(isCompleted).filter(isIts);
        while (done().length === 0) await first.next();
        const { id } = done()[0]!;
        const finished = await segmentFinished(join(share.root, path), id, 0.5, undefined, CONFIG);
        if (!isCompleted(finished.result)) throw new Error(`${path} cannot be segmented`);
        const wanted = found(finished.result.summary);
        // The first scan of two may be completed before the second one.
        while (JSON.stringify(found(done().at(-1)!.summary)) !== JSON.stringify(wanted) && done().length < runs)
          await first.next();
        expect(found(done().at(-1)!.summary), path).toEqual(wanted);
        expect(await maskOf(out, id), path).toEqual(finished.mask);
        expect(done().length, path).toBeLessThanOrEqual(runs);
        ids.add(id);
      }
      expect(ids.size).toBe(expected.length);
      await first.stop();
      // On a machine that is busy enough a file stands still for the settling time half-way, and is taken for what it is then.
      if (share.longestPause < WATCH.settle * 900)
        expect(first.results.filter(({ state }) => state === 'failed')).toEqual([]);
      for (const of of [masks(first.events), completions(first.events)]) expect(new Set(of).size).toBe(of.length);

      // Whoever starts again finds all of it done.
      const second = await watch(share.root, out);
      const isSeen = ({ path }: Expected) => second.results.some(isOf(join(share.root, path)));
      while (!expected.every(isSeen)) await second.next();
      await second.stop();
      for (const { path } of expected) {
        const states = second.results.filter(isOf(join(share.root, path))).map(({ state }) => state);
        expect(states, path).toEqual(['done-before']);
      }
    }),
    { numRuns: RUNS, endOnFailure: true, ...(SEED === undefined ? { seed: 1 } : { seed: Number(SEED) }) },
  );
});

const completions = (events: readonly BusEvent[]): string[] =>
  events.filter(({ type }) => type === 'stromaflow.slide.completed.v1').map(({ id }) => id);
