import { Counter, Gauge, type Registry } from 'prom-client';
import type { EngineEvent } from '../engine/pool.js';
import type { EngineInfo } from '../engine/segmenter.js';

export interface EngineMetrics {
  /** What befell the engine. */
  engineEvent(event: EngineEvent): void;
  /** A changed model was taken up, or could not be. */
  modelReloaded(result: 'ok' | 'failed'): void;
}

/** How the engine fares; `engine` is asked at every scrape. */
export function createEngineMetrics(
  registry: Registry,
  engine?: () => Pick<EngineInfo, 'batch'> | undefined,
): EngineMetrics {
  const registers = [registry];
  const restarts = new Counter({
    name: 'stromaflow_engine_restarts_total',
    help: 'Times an engine was started again after a failure.',
    registers,
  });
  const quarantined = new Counter({
    name: 'stromaflow_engine_quarantined_patches_total',
    help: 'Patches that make the engine fail whenever they are tried.',
    registers,
  });
  const reloads = new Counter({
    name: 'stromaflow_model_reloads_total',
    help: 'Changed models that were taken up (ok) or could not be (failed).',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['ok', 'failed']) reloads.inc({ result }, 0);
  let lowered: number | undefined;
  let gaveUp = false;
  new Gauge({
    name: 'stromaflow_engine_batch_limit_patches',
    help: 'Largest batch the engine is given: --batch, or what memory has room for.',
    registers,
    collect() {
      const batch = engine?.()?.batch ?? 0;
      this.set(Math.min(batch, lowered ?? batch));
    },
  });
  new Gauge({
    name: 'stromaflow_engine_up',
    help: '1 while the engine works, 0 when it was given up.',
    registers,
    collect() {
      this.set(gaveUp ? 0 : 1);
    },
  });
  return {
    engineEvent(event) {
      if (event.type === 'restarted') restarts.inc();
      else if (event.type === 'quarantined') quarantined.inc();
      else if (event.type === 'batch-lowered') lowered = event.batch;
      else gaveUp = true;
    },
    modelReloaded(result) {
      reloads.inc({ result });
      // Another model needs another amount of memory, and finds out for itself.
      if (result === 'ok') lowered = undefined;
    },
  };
}
