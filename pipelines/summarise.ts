import { basename } from 'node:path';
import type { Aggregate } from '../src/event/payloads.js';
import type { SlideSession } from '../src/stage/session.js';
import type { SlideSummary } from '../src/store/summary.js';
import { VERSION } from '../src/version.js';
import type { Parts } from './parts.js';

/** summary.json of a slide that is over: its final aggregate, and everything needed to say how it came about. */
export function summarise(session: SlideSession, aggregate: Aggregate, parts: Parts): SlideSummary {
  const { slide, plan, resumedPatches, seconds } = session;
  const { config, tissueRule } = parts;
  const { name, version, device, batch, loadSeconds } = session.engine;
  const { level, patchSize, margin, cols, rows, downsample } = plan;
  const { width, height } = slide.levels[0]!;
  const records = [...session.aggregate.records()];
  return {
    ...aggregate,
    schema: 'stromaflow.summary.v1',
    state: 'completed',
    source: {
      file: basename(slide.path),
      format: slide.format,
      mpp: slide.mpp,
      ...(slide.axes ? { axes: slide.axes } : {}),
      width,
      height,
      ...(slide.bounds ? { bounds: slide.bounds } : {}),
      fingerprint: slide.fingerprint,
      properties: slide.properties,
    },
    plan: { level, patchSize, margin, cols, rows, downsample },
    engine: { name, version, device, batch },
    filter: {
      kept: records.filter(record => record.outcome !== 'empty').length,
      dropped: aggregate.patches.empty,
      rule: tissueRule,
    },
    timings: {
      seconds,
      engineLoadSeconds: loadSeconds,
      patchesPerSecond: (records.length - resumedPatches) / seconds,
      patchesResumed: resumedPatches,
    },
    versions: { stromaflow: VERSION, node: process.versions.node },
    options: {
      engine: config.engine,
      batch: config.batch,
      batchDelayMs: config['batch-delay'],
      keepEmpty: config['keep-empty'],
    },
    notes: [...(slide.notes ?? []), ...(session.labels?.notes ?? [])],
    errors: records
      .filter(record => record.outcome === 'failed')
      .map(({ level, col, row, code }) => ({ level, col, row, code: code ?? 'INTERNAL' })),
  };
}
