import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { overlapOf } from '#pipelines/plan-of.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { SlideTask } from '#pipelines/slide-task.js';
import { loadConfig } from '#src/config/load.js';
import type { Segmenter } from '#src/engine/segmenter.js';
import { StromaflowError } from '#src/errors.js';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import { partsWith, recording, withSegmenter } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';
import { maskOf, masks, scan, segmentFinished, watchFor } from './live-support.js';

const ID = 'CMU-1-Small-Region';
const task: SlideTask = { path: SLIDE, id: ID, open: () => openSlide(SLIDE, { id: ID }) };
const run = async (parts: Parts, signal = new AbortController().signal): Promise<SlideResult> =>
  (await lastValueFrom(segmentSlides(of(task), parts, signal).pipe(toArray())))[0]!;

const opened: Parts[] = [];
const open = async (options: Parameters<typeof partsWith>[0]): Promise<Parts> => {
  const parts = await partsWith(options);
  opened.push(parts);
  return parts;
};
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
});

/**
 * What the null engine says, more to the left and less to the right of a patch, as no engine that knows a pixel alone does: masks are
 * others then where patches are blended, cropped, or blended of other patches.
 */
function slanted(parts: Parts, fails: (pixels: Uint8Array) => boolean = () => false): Parts {
  const { segmenter } = parts.models.current;
  const { threshold } = segmenter.info;
  const error = new StromaflowError('ENGINE_FAILED', 'this patch makes the engine fail');
  const segment: Segmenter['segment'] = async (slots, signal) => {
    const { scores, ...given } = await segmenter.segment(slots, signal);
    const failed = new Map(
      slots.flatMap((slot, i) => (fails(parts.pixels(slot)) ? [[i, { error, attempts: 3 }] as const] : [])),
    );
    const tilted = scores!.map(all => all.map((p, i) => Math.min(1, Math.max(0, p + 0.4 - 0.8 * ((i % 512) / 511)))));
    expect(threshold).toBe(0.5);
    return { ...given, scores: tilted, ...(failed.size > 0 && { failed }) };
  };
  return withSegmenter(parts, segment);
}

const pngs = (events: readonly BusEvent[]) =>
  new Map(
    events
      .filter(({ type }) => type === 'stromaflow.mask.v1')
      .map(({ id, data }) => [id, Buffer.from(data).toString('base64')]),
  );

async function segmentSlanted() {
  const { parts, events } = recording(await open({ out: await emptyFolder(), overlap: 0.25 }));
  await run(slanted(parts));
  expect(parts.slots.free).toBe(parts.slots.total);
  await parts.close();
  return { events };
}
let made: ReturnType<typeof segmentSlanted> | undefined;
/** The slide from end to end, made once. */
const control = () => {
  made ??= segmentSlanted();
  return made;
};

describe('overlap', () => {
  it('publishes each patch once, on the grid that a margin of half as much has; a model of single pixels gives the same masks', async () => {
    const out = await emptyFolder();
    const { parts, events } = recording(await open({ out, overlap: 0.25 }));
    const result = await run(parts);
    expect(result).toMatchObject({
      state: 'completed',
      summary: { plan: { margin: 64, overlap: 128, cols: 6, rows: 8 } },
    });
    expect(parts.credits.free).toBe(parts.credits.total);
    const ids = masks(events);
    expect(new Set(ids).size).toBe(ids.length);
    const { mask, result: cropped } = await segmentFinished(SLIDE, ID, undefined, undefined, { margin: 64 });
    expect(await maskOf(out, ID)).toEqual(mask);
    expect(cropped).toMatchObject({ summary: { area: (result as { summary?: { area: object } }).summary!.area } });
    expect(cropped).not.toMatchObject({ summary: { plan: { overlap: expect.anything() } } });
  });

  it('is another mask than a cropped one where the model sees more than a pixel', async () => {
    const blended = await control();
    const plain = recording(await open({ out: await emptyFolder(), margin: 64 }));
    await run(plain.parts);
    const [one, other] = [[...pngs(blended.events).values()], [...pngs(plain.events).values()]];
    expect(one).toHaveLength(other.length);
    expect(one).not.toEqual(other);
  });

  it.each(THOROUGH ? [1, 3] : [3])(
    'goes on after an interruption with %i masks out: nothing twice, every bit the same',
    async many => {
      const { events: all } = await control();
      const out = await emptyFolder();
      const abort = new AbortController();
      const first = recording(await open({ out, overlap: 0.25, batch: 2 }));
      const bus = {
        ...first.parts.bus,
        publish: async (event: BusEvent) => {
          await first.parts.bus.publish(event);
          if (masks(first.events).length >= many) abort.abort();
        },
      };
      const interrupted = once(abort.signal, 'abort');
      const tilted = slanted({ ...first.parts, bus });
      const { segmenter } = tilted.models.current;
      let segmented = 0;
      // The last of those masks needs a row and two patches more, and as many as have slots may come before those; what is beyond waits, or
      // all might be done by then.
      const held = withSegmenter(tilted, async (slots, signal) => {
        if (segmented >= many + 18) await interrupted;
        segmented += slots.length;
        return segmenter.segment(slots, signal);
      });
      expect(await run(held, abort.signal)).toMatchObject({ state: 'interrupted' });
      expect(first.parts.slots.free).toBe(first.parts.slots.total);
      await first.parts.close();

      const second = recording(await open({ out, overlap: 0.25, batch: 2 }));
      expect(await run(slanted(second.parts))).toMatchObject({ state: 'completed' });
      expect(second.parts.slots.free).toBe(second.parts.slots.total);
      const [before, after] = [pngs(first.events), pngs(second.events)];
      expect([...before.keys()].filter(id => after.has(id))).toEqual([]);
      expect(after.size).toBeGreaterThan(0);
      expect(new Map([...before, ...after].sort())).toEqual(new Map([...pngs(all)].sort()));
    },
  );

  it('blends without a neighbour that fails, and says so', async () => {
    const { events: all } = await control();
    const out = await emptyFolder();
    const { parts, events } = recording(await open({ out, overlap: 0.25, batch: 2 }));
    let victim: Buffer | undefined;
    let met = 0;
    const once = (pixels: Uint8Array) => {
      if (++met === 12) victim = Buffer.from(pixels);
      return victim !== undefined && Buffer.compare(victim, pixels) === 0;
    };
    const result = await run(slanted(parts, once));
    expect(result).toMatchObject({ state: 'completed', summary: { patches: { failed: 1 } } });
    const { summary } = result as unknown as {
      summary: { notes: { code: string; message: string }[]; errors: { col: number; row: number }[] };
    };
    expect(summary.notes.find(({ code }) => code === 'blended-without')?.message).toMatch(
      /^\d+ patches were blended without a neighbour/,
    );
    const [{ col, row }] = summary.errors as [{ col: number; row: number }];
    const lines = (await readFile(join(out, ID, 'patches.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    const lacking = lines.filter(line => line.blendedWithout > 0);
    expect(lacking.length).toBeGreaterThan(0);
    for (const line of lacking) expect(Math.max(Math.abs(line.col - col), Math.abs(line.row - row))).toBe(1);
    const failed = events.map(event => decodeEvent(event)!).filter(event => event.kind === 'dlq');
    expect(failed).toHaveLength(1);
    const [complete, found] = [pngs(all), pngs(events)];
    const others = [...found].filter(([id, png]) => complete.get(id) !== png);
    expect(others.length).toBeGreaterThan(0);
    expect(others.length).toBeLessThanOrEqual(lacking.length);
    expect(found.size).toBe(complete.size - 1);
  });

  it('is taken whatever the order in which a growing slide comes', async () => {
    const { mask } = await segmentFinished(SLIDE, ID, undefined, undefined, { margin: 64 });
    for (const order of THOROUGH ? (['columns', 'random'] as const) : (['random'] as const)) {
      const { results, events, out } = await watchFor(1, { config: { overlap: 0.25 } }, scan({ order, rate: 400 }));
      expect(results[0]).toMatchObject({ state: 'completed' });
      expect(await maskOf(out, ID)).toEqual(mask);
      expect(new Set(masks(events)).size).toBe(masks(events).length);
    }
  });
});

describe('what cannot be', () => {
  it.each([
    [{ overlap: '0.25', margin: '32' }, /blended or cropped, not both/],
    [{ overlap: '0.25', 'open-area': '40' }, /not opened or closed by area/],
    [{ overlap: '0.25', 'close-area': '40' }, /not opened or closed by area/],
    [{ overlap: '0.7' }, /more than half of a patch/],
    [{ overlap: '1' }, /multiple of 32/],
    [{ overlap: '100' }, /multiple of 32/],
    [{ overlap: '160', 'patch-size': '256' }, /more than half of a patch of 256 px/],
  ])('%j', async (flags, message) => {
    await expect(loadConfig(flags, {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('half of the size that the model states is the most, which is known before there is a slide', async () => {
    await expect(open({ out: await emptyFolder(), overlap: 320 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/half of 512/),
    });
  });

  it('workers give masks, and none to blend', async () => {
    await expect(open({ out: await emptyFolder(), overlap: 0.25, role: 'ingest' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/--role ingest/),
    });
  });

  it('an engine that gives no scores fails the slide rather than crop it', async () => {
    const parts = await open({ out: await emptyFolder(), overlap: 0.25 });
    const { segmenter } = parts.models.current;
    const without = withSegmenter(parts, async slots => {
      const { scores: _, ...masks } = await segmenter.segment(slots);
      return masks;
    });
    expect(await run(without)).toMatchObject({ state: 'failed', error: { code: 'INTERNAL' } });
    expect(parts.slots.free).toBe(parts.slots.total);
  });

  it('parts are rounded to steps of 32 px', () => {
    const of_ = (overlap: number) => overlapOf({ overlap }, 512);
    expect([0.01, 0.1, 0.25, 0.5, 64].map(of_)).toEqual([32, 64, 128, 256, 64]);
    expect(overlapOf({ overlap: undefined }, 512)).toBeUndefined();
  });
});
