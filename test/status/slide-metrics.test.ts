import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { StromaEvent } from '#src/event/decode.js';
import { decodeEvent } from '#src/event/decode.js';
import type { PatchCounts, TileCounts } from '#src/event/payloads.js';
import { SLIDE_STATES, type SlideState } from '#src/event/subjects.js';
import { createSlideMetrics } from '#src/status/slide-metrics.js';
import { aggregate, createSampleEvents, maskInput, slidePayloads } from '../event/samples.js';
import { parseMetrics } from '../support/metrics-text.js';

const events = createSampleEvents();
const decoded = (event: Parameters<typeof decodeEvent>[0]): StromaEvent => decodeEvent(event)!;
const state = (name: SlideState, slide: string) =>
  decoded(events.slide(name, { ...slidePayloads[name], slide } as never));
const sums = (slide: string, patches: PatchCounts, tiles?: TileCounts) =>
  decoded(events.aggregate({ ...aggregate, slide, patches, ...(tiles && { tiles }) }, 'r'));

function metrics() {
  const registry = new Registry();
  const hear = createSlideMetrics(registry, SLIDE_STATES);
  return { hear, at: async () => parseMetrics(await registry.metrics()) };
}

const TILES = { expected: 9, seen: 7, drawn: 1, missing: 1, late: 2, overwritten: 1 };

describe('open slides and their backlog', () => {
  it('are those a naive book of the same events has, whatever comes in whatever order', async () => {
    const count = fc.integer({ min: 0, max: 5 });
    const step = fc.oneof(
      fc.record({ slide: fc.constantFrom('A', 'B', 'C'), state: fc.constantFrom(...SLIDE_STATES) }),
      fc.record({ slide: fc.constantFrom('A', 'B', 'C'), done: fc.tuple(count, count, count, count) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
        const { hear, at } = metrics();
        const book: Record<string, number> = {};
        const entered: Record<string, number> = {};
        for (const now of steps) {
          if ('done' in now) {
            const [segmented, empty, missing, failed] = now.done;
            hear(sums(now.slide, { expected: 20, segmented, empty, missing, failed }));
            if (now.slide in book) book[now.slide] = 20 - segmented - empty - missing - failed;
            continue;
          }
          hear(state(now.state, now.slide));
          if (now.state === 'progress') continue;
          entered[now.state] = (entered[now.state] ?? 0) + 1;
          if (now.state === 'opened') book[now.slide] = 5 * 4;
          else delete book[now.slide];
        }
        const found = await at();
        const waiting = Object.values(book);
        expect(found('stromaflow_slides_open')).toBe(waiting.length);
        expect(found('stromaflow_backlog_patches')).toBe(waiting.reduce((a, b) => a + b, 0));
        for (const name of ['opened', 'completed', 'incomplete', 'failed'])
          expect(found('stromaflow_slides_total', { state: name })).toBe(entered[name] ?? 0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('tiles', () => {
  it('of slides that grow are summed while those are open, and kept of those that completed', async () => {
    const { hear, at } = metrics();
    for (const slide of ['A', 'B']) {
      hear(state('opened', slide));
      hear(sums(slide, aggregate.patches, TILES));
    }
    let found = await at();
    for (const [name, count] of Object.entries(TILES)) {
      expect(found('stromaflow_growing_tiles', { state: name })).toBe(2 * count);
      expect(found('stromaflow_tiles_total', { state: name })).toBe(0);
    }
    hear(sums('A', aggregate.patches, { ...TILES, seen: 9 }));
    hear(state('completed', 'A'));
    hear(state('incomplete', 'B'));
    found = await at();
    for (const name of Object.keys(TILES)) expect(found('stromaflow_growing_tiles', { state: name })).toBe(0);
    expect(found('stromaflow_tiles_total', { state: 'seen' })).toBe(9);
    expect(found('stromaflow_tiles_total', { state: 'late' })).toBe(2);
    expect(found('stromaflow_tiles_total', { state: 'drawn' })).toBe(1);
  });

  it('of a slide that nobody opened here, or that has ended, are not its tiles', async () => {
    const { hear, at } = metrics();
    hear(sums('A', aggregate.patches, TILES));
    hear(state('opened', 'B'));
    hear(state('failed', 'B'));
    hear(sums('B', aggregate.patches, TILES));
    hear(state('completed', 'B'));
    const found = await at();
    expect(found('stromaflow_growing_tiles', { state: 'expected' })).toBe(0);
    expect(found('stromaflow_tiles_total', { state: 'expected' })).toBe(0);
  });

  it('of a slide that is opened anew are those of its new file alone', async () => {
    const { hear, at } = metrics();
    hear(state('opened', 'A'));
    hear(sums('A', aggregate.patches, TILES));
    hear(state('opened', 'A'));
    expect((await at())('stromaflow_growing_tiles', { state: 'seen' })).toBe(0);
    hear(state('completed', 'A'));
    expect((await at())('stromaflow_tiles_total', { state: 'seen' })).toBe(0);
  });
});

describe('areas', () => {
  it('are pixels times the square of their spacing, summed over all masks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ stroma: fc.nat(4096), tissue: fc.nat(4096), mpp: fc.double({ min: 0.1, max: 4, noNaN: true }) }),
        ),
        async masks => {
          const { hear, at } = metrics();
          let [stromaMm2, tissueMm2] = [0, 0];
          for (const { stroma, tissue, mpp } of masks) {
            const input = maskInput();
            const record = { ...input.record, stromaPixels: stroma, tissuePixels: tissue, validPixels: 4096 };
            hear(decoded(events.mask({ ...input, record, plan: { ...input.plan, mpp } })));
            stromaMm2 += stroma * mpp * mpp * 1e-6;
            tissueMm2 += tissue * mpp * mpp * 1e-6;
          }
          const found = await at();
          expect(found('stromaflow_stroma_mm2_total')).toBeCloseTo(stromaMm2, 9);
          expect(found('stromaflow_tissue_mm2_total')).toBeCloseTo(tissueMm2, 9);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('the seam score', () => {
  it('is that of the slide completed last; one without a border between patches does not wipe it', async () => {
    const { hear, at } = metrics();
    const completed = (seamScore?: number) =>
      decoded(events.slide('completed', { ...slidePayloads.completed, ...(seamScore !== undefined && { seamScore }) }));
    hear(completed(0.875));
    hear(completed());
    expect((await at())('stromaflow_seam_score_ratio')).toBe(0.875);
    hear(completed(1));
    expect((await at())('stromaflow_seam_score_ratio')).toBe(1);
  });
});

describe('agreement with the labels', () => {
  it('is the newest that has a value; a slide whose union is still empty does not wipe it', async () => {
    const { hear, at } = metrics();
    const withIou = (value: number | null) =>
      decoded(events.aggregate({ ...aggregate, iou: { value, intersection: 0, union: 0, labelledPatches: 0 } }, 'r'));
    hear(withIou(0.75));
    hear(withIou(null));
    expect((await at())('stromaflow_iou_ratio')).toBe(0.75);
    hear(withIou(0));
    expect((await at())('stromaflow_iou_ratio')).toBe(0);
  });
});
