import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { SlideTask } from '#pipelines/slide-task.js';
import { StromaflowError } from '#src/errors.js';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import type { SlideSummary } from '#src/store/summary.js';
import { partsWith, recording, withSegmenter } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const task = (id = 'slide', path = SLIDE): SlideTask => ({ path, id, open: () => openSlide(path, { id }) });

const run = (parts: Parts, tasks: SlideTask[], signal = new AbortController().signal): Promise<SlideResult[]> =>
  lastValueFrom(segmentSlides(of(...tasks), parts, signal).pipe(toArray()));

const masks = (events: BusEvent[]): string[] =>
  events.filter(({ type }) => type === 'stromaflow.mask.v1').map(({ id }) => id);

const opened: Parts[] = [];
const open = async (...options: Parameters<typeof partsWith>): Promise<Parts> => {
  const parts = await partsWith(...options);
  opened.push(parts);
  return parts;
};
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
});

describe('segmentSlides', () => {
  it('gives every patch of a slide one outcome, one event and one line', async () => {
    const out = await emptyFolder();
    const { parts, events } = recording(await open({ out }));
    const [result] = await run(parts, [task()]);
    expect(result).toMatchObject({ state: 'completed', folder: join(out, 'slide') });
    const summary: SlideSummary = JSON.parse(await readFile(join(out, 'slide', 'summary.json'), 'utf8'));
    const { expected, segmented, empty, failed, missing } = summary.patches;
    expect({ expected, failed, missing, sum: segmented + empty }).toEqual({
      expected: 30,
      failed: 0,
      missing: 0,
      sum: 30,
    });
    expect(empty).toBeGreaterThan(0);
    expect(summary.filter).toMatchObject({ kept: segmented, dropped: empty });
    expect(new Set(masks(events)).size).toBe(segmented);
    expect(masks(events)).toHaveLength(segmented);
    const lines = (await readFile(join(out, 'slide', 'patches.jsonl'), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(30);
    expect((await stat(join(out, 'slide', 'overview.png'))).size).toBeGreaterThan(10_000);
    expect(parts.credits.free).toBe(parts.credits.total);
  });

  it('adds up to its aggregate what it publishes as masks', async () => {
    const { parts, events } = recording(await open({ out: await emptyFolder(), 'aggregate-interval': 0.05 }));
    await run(parts, [task()]);
    const decoded = events.map(event => decodeEvent(event)!);
    const published = decoded.filter(event => event.kind === 'mask');
    const aggregates = decoded.filter(event => event.kind === 'aggregate').map(event => event.aggregate);
    const final = aggregates.at(-1)!;
    const pixelMm2 = (0.499 / 1000) ** 2;
    const stroma = published.reduce((sum, mask) => sum + mask.stromapixels, 0);
    expect(final.provisional).toBe(false);
    expect(final.area.stromaMm2).toBeCloseTo(stroma * pixelMm2, 9);
    const revisions = aggregates.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    expect(aggregates.slice(0, -1).every(({ provisional }) => provisional)).toBe(true);
    const states = decoded.filter(event => event.kind === 'slide').map(event => event.state);
    expect(states[0]).toBe('opened');
    expect(states.at(-1)).toBe('completed');
  });

  it('keeps empty patches when asked to', async () => {
    const parts = await open({ out: await emptyFolder(), 'keep-empty': true });
    const [result] = await run(parts, [task()]);
    expect(result).toMatchObject({ summary: { patches: { segmented: 30, empty: 0 }, filter: { rule: null } } });
  });

  it('takes several slides through one graph at once', async () => {
    const { parts, events } = recording(await open({ out: await emptyFolder() }));
    const results = await run(
      parts,
      ['a', 'b', 'c', 'd', 'e'].map(id => task(id)),
    );
    expect(results.map(({ state }) => state)).toEqual(Array(5).fill('completed'));
    expect(new Set(masks(events)).size).toBe(masks(events).length);
  });

  it('finishes a slide that was interrupted: nothing lost, nothing published twice, the same files', async () => {
    const out = await emptyFolder();
    const whole = await emptyFolder();
    const abort = new AbortController();
    const first = recording(await open({ out, batch: 2 }));
    const stopAfterSome = {
      ...first.parts,
      bus: {
        ...first.parts.bus,
        publish: async (event: BusEvent) => {
          await first.parts.bus.publish(event);
          if (masks(first.events).length >= 5) abort.abort();
        },
      },
    };
    const [interrupted] = await run(stopAfterSome, [task()], abort.signal);
    expect(interrupted).toMatchObject({ state: 'interrupted', expected: 30 });
    expect(first.parts.credits.free).toBe(first.parts.credits.total);
    await first.parts.close();

    const second = recording(await open({ out, batch: 2 }));
    const [completed] = await run(second.parts, [task()]);
    expect(completed).toMatchObject({ state: 'completed', summary: { patches: { failed: 0 } } });

    const control = recording(await open({ out: whole }));
    await run(control.parts, [task()]);
    const both = [...masks(first.events), ...masks(second.events)];
    expect(both).toHaveLength(new Set(both).size);
    expect(new Set(both)).toEqual(new Set(masks(control.events)));
    for (const file of ['mask.geojson', 'overview.png']) {
      expect(await digest(join(out, 'slide', file)), file).toBe(await digest(join(whole, 'slide', file)));
    }

    const third = recording(
      await open({ out, batch: 2 }).catch(async error => {
        await second.parts.close();
        return open({ out, batch: 2 }).catch(() => Promise.reject(error));
      }),
    );
    const [again] = await run(third.parts, [task()]);
    expect(again).toMatchObject({ state: 'done-before' });
    expect(third.events).toEqual([]);
  });

  it('does a slide again whose results are gone, and says so', async () => {
    const out = await emptyFolder();
    const results = async (): Promise<SlideResult[]> => {
      const said: string[] = [];
      const parts = { ...(await open({ out })), say: (line: string) => said.push(line) };
      const found = await run(parts, [{ ...task(), wantsResults: true }]);
      await parts.close();
      expect(said.filter(line => line.includes('its results are gone'))).toHaveLength(isGone ? 1 : 0);
      return found;
    };
    let isGone = false;
    expect(await results()).toMatchObject([{ state: 'completed' }]);
    const first = await digest(join(out, 'slide', 'mask.geojson'));
    expect(await results()).toMatchObject([{ state: 'done-before' }]);
    await rm(join(out, 'slide'), { recursive: true });
    isGone = true;
    expect(await results()).toMatchObject([{ state: 'completed' }]);
    expect(await digest(join(out, 'slide', 'mask.geojson'))).toBe(first);
  });

  it('leaves results gone that nobody asks for: somebody made room', async () => {
    const out = await emptyFolder();
    for (const state of ['completed', 'done-before']) {
      const parts = await open({ out });
      expect(await run(parts, [task()])).toMatchObject([{ state }]);
      await parts.close();
      await rm(join(out, 'slide'), { recursive: true, force: true });
    }
  });

  it('reports a slide that cannot be read and goes on with the others', async () => {
    const { parts, events } = recording(await open({ out: await emptyFolder() }));
    const results = await run(parts, [task('gone', '/nowhere/gone.svs'), task('good')]);
    const byId = Object.fromEntries(results.map(result => [result.id, result]));
    expect(byId['gone']).toMatchObject({ state: 'failed', error: { code: 'FILE_NOT_FOUND' } });
    expect(byId['good']).toMatchObject({ state: 'completed' });
    expect(events.map(({ type }) => type)).toContain('stromaflow.slide.failed.v1');
  });

  it('fails a slide whose folder cannot be written, gives all credits back and does not record it as done', async () => {
    const out = await emptyFolder();
    const parts = await open({ out });
    const broken: Parts = {
      ...parts,
      openOutput: async options => {
        const output = await parts.openOutput(options);
        let patches = 0;
        return {
          ...output,
          patch: async (...given) => {
            patches += 1;
            if (patches > 3) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' });
            await output.patch(...given);
          },
        };
      },
    };
    const [result] = await run(broken, [task()]);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'OUTPUT_FULL' } });
    expect(parts.credits.free).toBe(parts.credits.total);
    const [retried] = await run(parts, [task()]);
    expect(retried).toMatchObject({ state: 'completed', summary: { patches: { expected: 30, failed: 0 } } });
  });

  it('fails the slide, and no patch, when the engine is gone for good: the next start does them', async () => {
    const { parts, events } = recording(await open({ out: await emptyFolder() }));
    const [result] = await run(
      withSegmenter(parts, () => Promise.reject(new Error('no device'))),
      [task()],
    );
    expect(result).toMatchObject({ state: 'failed', error: { code: 'ENGINE_FAILED' } });
    expect(events.filter(({ type }) => type.startsWith('stromaflow.dlq'))).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: 'stromaflow.slide.failed.v1' });
    expect(parts.credits.free).toBe(parts.credits.total);
    const [retried] = await run(parts, [task()]);
    expect(retried).toMatchObject({ state: 'completed', summary: { patches: { expected: 30, failed: 0 } } });
  });

  it('reports a patch that the engine cannot do, and does the others', async () => {
    const { parts, events } = recording(await open({ out: await emptyFolder() }));
    const { segmenter } = parts.models.current;
    const error = new StromaflowError('ENGINE_FAILED', 'this patch makes the engine fail');
    const picky = withSegmenter(parts, async (slots, signal) => {
      const masks = await segmenter.segment(slots, signal);
      return slots.length > 1 ? { ...masks, failed: new Map([[1, { error, attempts: 3 }]]) } : masks;
    });
    const [result] = await run(picky, [task()]);
    const decoded = events.map(event => decodeEvent(event)!).filter(event => event.kind === 'dlq');
    const letters = decoded.length;
    expect(decoded.map(({ letter }) => [letter.stage, letter.attempts])).toEqual(decoded.map(() => ['infer', 3]));
    expect(letters).toBeGreaterThan(0);
    expect(result).toMatchObject({ state: 'completed', summary: { patches: { failed: letters } } });
    expect(parts.credits.free).toBe(parts.credits.total);
  });
});

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
