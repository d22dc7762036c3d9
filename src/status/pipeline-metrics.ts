import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { FlushReason, PipelineObserver, StageName } from '../stage/observer.js';

const STAGES: readonly StageName[] = ['read', 'batch', 'segment', 'publish', 'store'];
const RESULTS = ['ok', 'failed'] as const;
const DROPS = ['empty', 'failed', 'missing'] as const;
const FLUSHES: readonly FlushReason[] = ['full', 'delay', 'end'];

/** Upper bounds in seconds: a stage's work on one item, from a cached tile to a batch on a slow CPU. */
const STAGE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From readable to acknowledged: a patch also waits for credits and for its batch. */
const END_TO_END_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const WAIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_PATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** The graph's own metrics: stages, batches, credits, drops, inference, end to end. */
export function createPipelineMetrics(registry: Registry): PipelineObserver {
  return { ...createStageMetrics(registry), ...createFlowMetrics(registry), ...createInferenceMetrics(registry) };
}

function createInferenceMetrics(registry: Registry): Pick<PipelineObserver, 'inferred'> {
  const registers = [registry];
  const inference = new Histogram({
    name: 'stromaflow_inference_duration_seconds',
    help: 'Time the engine itself ran for one batch.',
    buckets: STAGE_SECONDS,
    registers,
  });
  const inferredPatches = new Counter({
    name: 'stromaflow_inference_patches_total',
    help: 'Patches the engine has segmented.',
    registers,
  });
  return {
    inferred(patches, seconds) {
      inference.observe(seconds);
      inferredPatches.inc(patches);
    },
  };
}

function createStageMetrics(registry: Registry): Pick<PipelineObserver, 'entered' | 'left'> {
  const registers = [registry];
  const items = new Counter({
    name: 'stromaflow_stage_items_total',
    help: 'Items a stage has let out, by result.',
    labelNames: ['stage', 'result'],
    registers,
  });
  const inProgress = new Gauge({
    name: 'stromaflow_stage_items_in_progress',
    help: 'Items inside a stage.',
    labelNames: ['stage'],
    registers,
  });
  const duration = new Histogram({
    name: 'stromaflow_stage_duration_seconds',
    help: 'Time an item spent inside a stage.',
    labelNames: ['stage'],
    buckets: STAGE_SECONDS,
    registers,
  });
  const lastSuccess = new Gauge({
    name: 'stromaflow_stage_last_success_timestamp_seconds',
    help: 'When a stage last let an item out well, Unix time; 0 if never.',
    labelNames: ['stage'],
    registers,
  });
  // Series exist from the start, at 0: a rate over a counter that appears late misses its first items.
  for (const stage of STAGES) {
    for (const result of RESULTS) items.inc({ stage, result }, 0);
    inProgress.set({ stage }, 0);
    duration.zero({ stage });
    lastSuccess.set({ stage }, 0);
  }
  return {
    entered: stage => inProgress.inc({ stage }),
    left(stage, result, seconds) {
      inProgress.dec({ stage });
      items.inc({ stage, result });
      duration.observe({ stage }, seconds);
      if (result === 'ok') lastSuccess.set({ stage }, Date.now() / 1000);
    },
  };
}

function createFlowMetrics(registry: Registry): Omit<PipelineObserver, 'entered' | 'left' | 'inferred'> {
  const registers = [registry];
  const dropped = new Counter({
    name: 'stromaflow_patches_dropped_total',
    help: 'Patches that left the graph without a mask, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const flushes = new Counter({
    name: 'stromaflow_batch_flushes_total',
    help: 'Batches sealed, by reason: full, delay ran out, or end of input.',
    labelNames: ['reason'],
    registers,
  });
  const size = new Histogram({
    name: 'stromaflow_batch_patches',
    help: 'Patches in a sealed batch.',
    buckets: BATCH_PATCHES,
    registers,
  });
  const wait = new Histogram({
    name: 'stromaflow_batch_wait_seconds',
    help: 'Time a batch was open, from its first patch to its sealing.',
    buckets: WAIT_SECONDS,
    registers,
  });
  const free = new Gauge({
    name: 'stromaflow_credits_free',
    help: 'Free patch slots; 0 means the source waits for the graph.',
    registers,
  });
  const capacity = new Gauge({
    name: 'stromaflow_credits_capacity',
    help: 'Patch slots altogether: the most patches in memory at once.',
    registers,
  });
  const creditWait = new Histogram({
    name: 'stromaflow_credit_wait_seconds',
    help: 'Time the source waited for a free slot.',
    buckets: WAIT_SECONDS,
    registers,
  });
  const endToEnd = new Histogram({
    name: 'stromaflow_patch_end_to_end_seconds',
    help: 'From the moment a patch could be read to its acknowledgement.',
    buckets: END_TO_END_SECONDS,
    registers,
  });
  for (const reason of DROPS) dropped.inc({ reason }, 0);
  for (const reason of FLUSHES) flushes.inc({ reason }, 0);
  return {
    dropped: reason => dropped.inc({ reason }),
    batched(patches, reason, waitSeconds) {
      flushes.inc({ reason });
      size.observe(patches);
      wait.observe(waitSeconds);
    },
    credits(freeNow, total, waitSeconds) {
      free.set(freeNow);
      capacity.set(total);
      if (waitSeconds > 0) creditWait.observe(waitSeconds);
    },
    acknowledged: seconds => endToEnd.observe(seconds),
  };
}
