import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '#src/engine/pool.js';
import { StromaflowError } from '#src/errors.js';
import { createEngineMetrics, type EngineMetrics } from '#src/status/engine-metrics.js';
import { parseMetrics } from '../support/metrics-text.js';

const error = new StromaflowError('ENGINE_FAILED', 'no device');
const RESTARTED: EngineEvent = { type: 'restarted', failures: 1, error };
const lowered = (batch: number): EngineEvent => ({ type: 'batch-lowered', batch });

let registry: Registry;
let metrics: EngineMetrics;
let batch: number;
beforeEach(() => {
  registry = new Registry();
  batch = 16;
  metrics = createEngineMetrics(registry, () => ({ batch }));
});
const at = async (name: string, labels = {}) => parseMetrics(await registry.metrics())(`stromaflow_${name}`, labels);

describe('the engine’s metrics', () => {
  it('count restarts and patches given up, each by itself', async () => {
    for (const event of [RESTARTED, RESTARTED, { type: 'quarantined', slot: 3, error } as const])
      metrics.engineEvent(event);
    expect(await at('engine_restarts_total')).toBe(2);
    expect(await at('engine_quarantined_patches_total')).toBe(1);
    expect(await at('engine_up')).toBe(1);
    expect(await at('engine_batch_limit_patches')).toBe(16);
  });

  it('say that the engine is down once it was given up, and not before', async () => {
    metrics.engineEvent({ type: 'gave-up', error });
    expect(await at('engine_up')).toBe(0);
    expect(await at('engine_restarts_total')).toBe(0);
  });

  it('give the smallest batch there was room for, never more than was asked for', async () => {
    metrics.engineEvent(lowered(8));
    metrics.engineEvent(lowered(4));
    expect(await at('engine_batch_limit_patches')).toBe(4);
    batch = 2;
    expect(await at('engine_batch_limit_patches')).toBe(2);
  });

  it('forget the smaller batch with a new model, and keep it when the new one could not be loaded', async () => {
    metrics.engineEvent(lowered(4));
    metrics.modelReloaded('failed');
    expect(await at('engine_batch_limit_patches')).toBe(4);
    metrics.modelReloaded('ok');
    expect(await at('engine_batch_limit_patches')).toBe(16);
    expect([
      await at('model_reloads_total', { result: 'ok' }),
      await at('model_reloads_total', { result: 'failed' }),
    ]).toEqual([1, 1]);
  });

  it('are there before any engine is', async () => {
    registry = new Registry();
    createEngineMetrics(registry);
    expect(await at('engine_batch_limit_patches')).toBe(0);
    for (const result of ['ok', 'failed']) expect(await at('model_reloads_total', { result })).toBe(0);
  });
});
