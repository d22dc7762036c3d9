import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { SlideTask } from '#pipelines/slide-task.js';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import { installed, orWhy } from '../slide/openslide/installed.js';
import { writeScn } from '../slide/openslide/scn.js';
import { gradient } from '../slide/tiff-writer.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { childrenOf, eventually } from '../support/processes.js';

const test = it.skipIf(installed === undefined);

const opened: Parts[] = [];
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
});

const task = (id: string, path: string): SlideTask => ({ path, id, open: signal => openSlide(path, { id, signal }) });

const run = (parts: Parts, tasks: SlideTask[]): Promise<SlideResult[]> =>
  lastValueFrom(segmentSlides(of(...tasks), parts, new AbortController().signal).pipe(toArray()));

interface Annotation {
  readonly geometry: { readonly coordinates: readonly (readonly [x: number, y: number])[][] };
}

const FRAME = [3000, 2600] as const;
const SCAN = { x: 700, y: 500 };

async function scnSlide(): Promise<string> {
  const path = join(await emptyFolder(), 'slide.scn');
  await writeFile(path, writeScn({ frame: FRAME, scans: [{ picture: gradient(1500, 1400), ...SCAN }] }));
  return path;
}

async function open(): Promise<{ parts: Parts; out: string; events: ReturnType<typeof recording>['events'] }> {
  const out = await emptyFolder();
  const { parts, events } = recording(await partsWith({ out, readers: 2 }));
  opened.push(parts);
  return { parts, out, events };
}

/** Kills OpenSlide's processes as they come, until it is told to stop. */
function killer(): { stop(): Promise<void> } {
  let on = true;
  const done = (async () => {
    while (on) {
      for (const pid of childrenOf(process.pid)) if (readsSlides(pid)) process.kill(pid, 'SIGSEGV');
      await new Promise(resolve => setTimeout(resolve, 1));
    }
  })();
  return {
    stop: () => {
      on = false;
      return done;
    },
  };
}

function readsSlides(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('openslide.child.js');
  } catch {
    return false;
  }
}

describe('a slide that OpenSlide reads', () => {
  test(`is segmented where it was scanned, in the frame that QuPath shows${orWhy}`, async () => {
    const { parts, out, events } = await open();
    const [result] = await run(parts, [task('s', await scnSlide())]);
    expect(result).toMatchObject({ state: 'completed' });
    const summary = JSON.parse(readFileSync(join(out, 's', 'summary.json'), 'utf8'));
    const bounds = { ...SCAN, width: 1500, height: 1400 };
    expect(summary.source).toMatchObject({ width: 3000, height: 2600, bounds });
    expect(summary.notes).toContainEqual({ code: 'sparse', message: expect.stringContaining('from (700, 500)') });
    // Columns 1–4 and rows 0–3 of patches of 512 px touch the scan.
    expect(summary.patches).toMatchObject({ expected: 36, segmented: 16, empty: 0, missing: 20, failed: 0 });
    const { features } = JSON.parse(readFileSync(join(out, 's', 'mask.geojson'), 'utf8'));
    const rings = (features as Annotation[]).flatMap(({ geometry }) => geometry.coordinates);
    const xs = rings.flat().map(([x]) => x);
    expect(Math.min(...xs)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...xs)).toBeLessThanOrEqual(1502);
    const masks = events.flatMap(event => {
      const decoded = decodeEvent(event);
      return decoded?.kind === 'mask' ? [decoded] : [];
    });
    expect(masks).toHaveLength(16);
    for (const mask of masks) expect(mask).toMatchObject({ boundsx: 700, boundsy: 500 });
  });

  test(`and that ends its processes again and again fails alone${orWhy}`, async () => {
    const { parts, events } = await open();
    let killing: ReturnType<typeof killer> | undefined;
    const watched: Parts = {
      ...parts,
      onOpened: session => {
        if (session.slide.id === 'bad') killing = killer();
      },
    };
    const results = await run(watched, [task('bad', await scnSlide()), task('good', SLIDE)]);
    await killing?.stop();
    expect(results.find(({ id }) => id === 'good')).toMatchObject({ state: 'completed' });
    expect(results.find(({ id }) => id === 'bad')).toMatchObject({
      state: 'failed',
      error: { code: 'OPENSLIDE_FAILED', message: expect.stringContaining('crashed (SIGSEGV)') },
    });
    const failed = events
      .map(event => decodeEvent(event))
      .find(event => event?.kind === 'slide' && event.state === 'failed');
    expect(failed).toMatchObject({ payload: { slide: 'bad', error: { code: 'OPENSLIDE_FAILED' } } });
  });

  test(`goes on where it was when its processes are killed once${orWhy}`, async () => {
    const { parts } = await open();
    const watched: Parts = {
      ...parts,
      onOpened: () => {
        for (const pid of childrenOf(process.pid)) if (readsSlides(pid)) process.kill(pid, 'SIGKILL');
      },
    };
    const [result] = await run(watched, [task('s', await scnSlide())]);
    expect(result).toMatchObject({ state: 'completed', summary: { patches: { segmented: 16, failed: 0 } } });
    await eventually(() => childrenOf(process.pid).filter(readsSlides).length === 0);
  });
});
