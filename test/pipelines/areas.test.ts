import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of } from 'rxjs';
import { expect, it } from 'vitest';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideTask } from '#pipelines/slide-task.js';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import type { SlideSummary } from '#src/store/summary.js';
import { partsWith, recording, withSegmenter } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const ID = 'CMU-1-Small-Region';
const task: SlideTask = { path: SLIDE, id: ID, open: () => openSlide(SLIDE, { id: ID }) };
const PIXEL = 0.499 ** 2;

const maskEvents = (events: readonly BusEvent[]) =>
  events.map(event => decodeEvent(event)!).filter(event => event.kind === 'mask');

it('masks, areas and polygons agree on what was taken out and filled, after an interruption too', async () => {
  const out = await emptyFolder();
  const config = { out, batch: 2, 'open-area': 40, 'close-area': 30, 'min-area': 0, 'min-hole': 0 };
  const abort = new AbortController();
  const first = recording(await partsWith(config));
  const bus = {
    ...first.parts.bus,
    publish: async (event: BusEvent) => {
      await first.parts.bus.publish(event);
      // Events are published several at a time.
      if (maskEvents(first.events).length >= 5) abort.abort();
    },
  };
  const interrupted = once(abort.signal, 'abort');
  const { segmenter } = first.parts.models.current;
  let segmented = 0;
  // The last of the 28 patches with tissue wait, or all might be done by then.
  const held = withSegmenter({ ...first.parts, bus }, async (slots, signal) => {
    if (segmented >= 20) await interrupted;
    segmented += slots.length;
    return segmenter.segment(slots, signal);
  });
  const cut = await lastValueFrom(segmentSlides(of(task), held, abort.signal));
  expect(cut).toMatchObject({ state: 'interrupted' });
  expect(first.parts.slots.free).toBe(first.parts.slots.total);
  await first.parts.close();
  const second = recording(await partsWith(config));
  const result = await lastValueFrom(segmentSlides(of(task), second.parts, new AbortController().signal));
  expect(result).toMatchObject({ state: 'completed' });
  expect(second.parts.slots.free).toBe(second.parts.slots.total);
  await second.parts.close();

  const folder = join(out, ID);
  const { area, outputs, plan } = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8')) as SlideSummary;
  expect(plan).toMatchObject({ openArea: expect.closeTo(40, 6), closeArea: expect.closeTo(30, 6) });
  expect(outputs!.polygons).toMatchObject({ dropped: 0, filled: 0 });
  expect(outputs!.polygons.areaMm2).toBeCloseTo(area.stromaMm2, 9);
  const { features } = JSON.parse(await readFile(join(folder, 'mask.geojson'), 'utf8')) as {
    features: { geometry: { coordinates: [number, number][][] } }[];
  };
  expect(features.length).toBeGreaterThan(3);
  const pixelsOf = (ring: readonly [number, number][]) =>
    Math.abs(ring.slice(1).reduce((sum, [x, y], i) => sum + ring[i]![0] * y - x * ring[i]![1], 0) / 2);
  for (const { geometry } of features) {
    const [outline, ...holes] = geometry.coordinates.map(pixelsOf);
    expect((outline! - holes.reduce((sum, hole) => sum + hole, 0)) * PIXEL).toBeGreaterThanOrEqual(40 - 1e-6);
  }
  const masks = [...maskEvents(first.events), ...maskEvents(second.events)];
  expect(new Set(masks.map(({ col, row }) => `${col},${row}`)).size).toBe(masks.length);
  const stroma = masks.reduce((sum, mask) => sum + mask.stromapixels, 0);
  expect((stroma * PIXEL) / 1e6).toBeCloseTo(area.stromaMm2, 9);

  // As if it had never been interrupted.
  const whole = await emptyFolder();
  const control = recording(await partsWith({ ...config, out: whole }));
  await lastValueFrom(segmentSlides(of(task), control.parts, new AbortController().signal));
  await control.parts.close();
  expect(await readFile(join(whole, ID, 'mask.geojson'), 'utf8')).toBe(
    await readFile(join(folder, 'mask.geojson'), 'utf8'),
  );
  const lines = (await readFile(join(folder, 'patches.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(lines.some(({ openedPixels }) => openedPixels > 0)).toBe(true);
  expect(lines.some(({ closedPixels }) => closedPixels > 0)).toBe(true);
  expect(await readFile(join(whole, ID, 'patches.jsonl'), 'utf8')).toBe(
    await readFile(join(folder, 'patches.jsonl'), 'utf8'),
  );
});

it('areas that reach farther than the patches that touch one fail the slide, with the most that can be', async () => {
  const parts = await partsWith({ out: await emptyFolder(), 'open-area': 200 });
  const result = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
  await parts.close();
  expect(result).toMatchObject({
    state: 'failed',
    error: { code: 'CONFIG_INVALID', message: expect.stringMatching(/at most 127 µm²/) },
  });
});
