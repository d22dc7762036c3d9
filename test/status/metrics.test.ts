import { describe, expect, it } from 'vitest';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { createMetrics } from '#src/status/metrics.js';
import { observeBus } from '#src/status/observe-bus.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from '../event/samples.js';
import { parseMetrics, type Samples } from '../support/metrics-text.js';
import { promtool } from '../support/promtool.js';
import { engine, exercise } from './exercise.js';

const events = createSampleEvents();

async function scrape(metrics: { text(): Promise<string> }): Promise<Samples> {
  return parseMetrics(await metrics.text());
}

describe('createMetrics', () => {
  it('counts what the stages report', async () => {
    const metrics = createMetrics({ version: '1.2.3' });
    const { observer } = metrics;
    observer.entered('read');
    observer.entered('read');
    observer.left('read', 'ok', 0.02);
    observer.entered('segment');
    observer.left('segment', 'failed', 2);
    observer.dropped('empty', maskInput().ref);
    observer.batched(16, 'full', 0.004);
    observer.batched(3, 'end', 0.2);
    observer.credits(5, 24, 0);
    observer.credits(4, 24, 0.5);
    observer.acknowledged(1.5);
    metrics.observer.inferred(16, 0.8);
    const before = Date.now() / 1000;
    const at = await scrape(metrics);
    expect(at('stromaflow_stage_items_in_progress', { stage: 'read' })).toBe(1);
    expect(at('stromaflow_stage_items_total', { stage: 'read', result: 'ok' })).toBe(1);
    expect(at('stromaflow_stage_items_total', { stage: 'segment', result: 'failed' })).toBe(1);
    expect(at('stromaflow_stage_duration_seconds_sum', { stage: 'segment' })).toBe(2);
    expect(at('stromaflow_stage_last_success_timestamp_seconds', { stage: 'read' })).toBeCloseTo(before, -1);
    expect(at('stromaflow_stage_last_success_timestamp_seconds', { stage: 'segment' })).toBe(0);
    expect(at('stromaflow_patches_dropped_total', { reason: 'empty' })).toBe(1);
    expect(at('stromaflow_batch_patches_sum')).toBe(19);
    expect(at('stromaflow_batch_flushes_total', { reason: 'full' })).toBe(1);
    expect(at('stromaflow_batch_flushes_total', { reason: 'delay' })).toBe(0);
    expect(at('stromaflow_batch_wait_seconds_count')).toBe(2);
    expect(at('stromaflow_credits_free')).toBe(4);
    expect(at('stromaflow_credits_capacity')).toBe(24);
    expect(at('stromaflow_credit_wait_seconds_count')).toBe(1);
    expect(at('stromaflow_patch_end_to_end_seconds_sum')).toBe(1.5);
    expect(at('stromaflow_inference_duration_seconds_sum')).toBe(0.8);
    expect(at('stromaflow_inference_patches_total')).toBe(16);
  });

  it('counts what is published, and sums what the events say', async () => {
    const raw = createMemoryBus();
    const metrics = createMetrics({ version: '1.2.3', connected: () => raw.connected });
    const bus = observeBus(raw, [metrics.busObserver]);
    await bus.publish(events.slide('opened', slidePayloads.opened));
    await bus.publish(events.mask(maskInput()));
    await bus.publish(events.mask(maskInput({ col: 4 })));
    await bus.publish(events.aggregate(aggregate, 'r'));
    await bus.publish(events.dlq(deadLetter));
    await bus.publish({ ...events.dlq(deadLetter), type: 'lab.note' });
    let at = await scrape(metrics);
    const pixelMm2 = 0.000499 ** 2;
    expect(at('stromaflow_bus_publishes_total', { kind: 'mask', result: 'ok' })).toBe(2);
    expect(at('stromaflow_bus_publishes_total', { kind: 'other', result: 'ok' })).toBe(1);
    expect(at('stromaflow_bus_published_bytes_total', { kind: 'mask' })).toBe(2 * maskInput().png.length);
    expect(at('stromaflow_bus_publishes_in_progress')).toBe(0);
    expect(at('stromaflow_bus_publish_duration_seconds_count')).toBe(6);
    expect(at('stromaflow_stroma_mm2_total')).toBeCloseTo(2 * 1024 * pixelMm2, 12);
    expect(at('stromaflow_tissue_mm2_total')).toBeCloseTo(2 * 2500 * pixelMm2, 12);
    expect(at('stromaflow_iou_ratio')).toBe(0.8125);
    expect(at('stromaflow_slides_open')).toBe(1);
    expect(at('stromaflow_backlog_patches')).toBe(2);
    expect(at('stromaflow_bus_connected')).toBe(1);

    await bus.publish(events.slide('completed', slidePayloads.completed));
    await bus.publish(events.slide('failed', { ...slidePayloads.failed, slide: 'other' }));
    await bus.close();
    await expect(bus.publish(events.mask(maskInput()))).rejects.toMatchObject({ code: 'BUS_PUBLISH' });
    at = await scrape(metrics);
    expect(at('stromaflow_slides_open')).toBe(0);
    expect(at('stromaflow_backlog_patches')).toBe(0);
    for (const state of ['opened', 'completed', 'failed']) expect(at('stromaflow_slides_total', { state })).toBe(1);
    expect(at('stromaflow_slides_total', { state: 'incomplete' })).toBe(0);
    expect(at('stromaflow_bus_publishes_total', { kind: 'mask', result: 'failed' })).toBe(1);
    expect(at('stromaflow_stroma_mm2_total')).toBeCloseTo(2 * 1024 * pixelMm2, 12);
    expect(at('stromaflow_bus_connected')).toBe(0);
  });

  it('says what runs', async () => {
    const at = await scrape(createMetrics({ version: '1.2.3', engine }));
    const labels = {
      version: '1.2.3',
      engine: 'onnxruntime',
      device: 'cpu',
      model: 'starter',
      model_version: '0.1.0+ab',
    };
    expect(at('stromaflow_build_info', labels)).toBe(1);
  });

  it('keeps instances apart', async () => {
    const [one, two] = [createMetrics({ version: '1' }), createMetrics({ version: '1' })];
    one.observer.dropped('failed', maskInput().ref);
    expect((await scrape(two))('stromaflow_patches_dropped_total', { reason: 'failed' })).toBe(0);
  });

  it('has every series from the start and never one for a slide or a patch', async () => {
    const metrics = createMetrics({ version: '1', engine });
    const series = async () =>
      (await metrics.text())
        .split('\n')
        .filter(line => line.startsWith('stromaflow_'))
        .map(line => line.slice(0, line.lastIndexOf(' ')));
    const before = new Set(await series());
    await exercise(metrics, { slides: 30 });
    const added = (await series()).filter(name => !before.has(name));
    expect(added).toEqual([]);
  });

  it('passes promtool’s lint, process metrics included', async () => {
    const metrics = createMetrics({ version: '1', engine, connected: () => true });
    await exercise(metrics, { slides: 2 });
    expect(await promtool(['check', 'metrics'], await metrics.text())).toBe('');
    expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await metrics.text()).toMatch(/^process_resident_memory_bytes \d/m);
    expect(await metrics.text()).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });
});
