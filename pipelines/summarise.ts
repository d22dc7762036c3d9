import type { Aggregate } from '../src/event/payloads.js';
import type { PatchRecord } from '../src/read/patch.js';
import type { SlideNote } from '../src/slide/note.js';
import { slideFileName } from '../src/slide/tile-folder/find-tiles.js';
import type { SlideSession } from '../src/stage/session.js';
import type { SlideSummary } from '../src/store/summary.js';
import { VERSION } from '../src/version.js';
import type { Parts } from './parts.js';

/** What only the pixels told. */
function notesOn({ sparse, listed }: SlideSession, { tiles, area }: Aggregate): SlideNote[] {
  const notes: SlideNote[] = [];
  // Where every tile that is listed is there, what is missing was never listed, or nobody wrote into it.
  const allThere = tiles !== undefined && tiles.missing + (tiles.drawn ?? 0) === 0;
  const isUnlisted = allThere ? listed < 1 : sparse;
  if (area.missingMm2 !== undefined && isUnlisted) {
    const message = `${area.missingMm2.toFixed(3)} mm² were not scanned: the slide stores nothing there`;
    notes.push({ code: 'sparse', message });
  }
  if (area.stromaMm2 > area.tissueMm2) {
    const message =
      'there is more stroma than tissue by the tissue rule, which judges by colour: its part is held at 100 %; see --tissue-saturation and --tissue-od';
    notes.push({ code: 'assumed', message });
  }
  return notes;
}

/** summary.json of a slide that is over: its final aggregate, and everything needed to say how it came about. */
export function summarise(session: SlideSession, aggregate: Aggregate, parts: Parts): SlideSummary {
  const { slide, plan, resumedPatches, seconds } = session;
  const { config, tissueRule } = parts;
  const { name, version, device, batch, loadSeconds, threshold } = session.engine;
  const { members, tta } = session.model.model;
  const { level, patchSize, margin, blended, openBelow, closeBelow, mpp, padding, cols, rows, downsample } = plan;
  const { width, height } = slide.levels[0]!;
  const records = [...session.aggregate.records()];
  return {
    ...aggregate,
    schema: 'stromaflow.summary.v1',
    state: session.lack ? 'incomplete' : 'completed',
    source: {
      file: slideFileName(slide.path),
      format: slide.format,
      mpp: slide.mpp,
      mppFrom: config.mpp === undefined ? 'the slide' : 'given with --mpp',
      ...(slide.axes ? { axes: slide.axes } : {}),
      width,
      height,
      ...(slide.bounds ? { bounds: slide.bounds } : {}),
      fingerprint: slide.fingerprint,
      ...(session.traffic ? { http: { ...session.traffic() } } : {}),
      properties: slide.properties,
    },
    plan: {
      ...{ level, patchSize, margin },
      ...(blended ? { overlap: 2 * margin } : {}),
      ...(openBelow ? { openArea: openBelow * mpp ** 2 } : {}),
      ...(closeBelow ? { closeArea: closeBelow * mpp ** 2 } : {}),
      ...{ padding, cols, rows, downsample },
    },
    threshold,
    ...(members.length > 1
      ? { members: members.map(({ name, version, threshold }) => ({ name, version, threshold })) }
      : {}),
    ...(tta === undefined ? {} : { tta }),
    engine: { name, version, device, batch },
    filter: {
      kept: records.length - aggregate.patches.empty - aggregate.patches.missing,
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
    notes: [
      ...(slide.notes ?? []),
      ...modelNotes(session),
      ...notesOn(session, aggregate),
      ...blendNotes(records),
      ...(session.labels?.notes ?? []),
    ],
    errors: records
      .filter(record => record.outcome === 'failed')
      .map(({ level, col, row, code }) => ({ level, col, row, code: code ?? 'INTERNAL' })),
  };
}

/** Masks that would be others had their neighbours not failed. */
function blendNotes(records: readonly PatchRecord[]): SlideNote[] {
  const lacking = records.filter(({ blendedWithout = 0 }) => blendedWithout > 0).length;
  if (lacking === 0) return [];
  const message = `${lacking} ${lacking === 1 ? 'patch was' : 'patches were'} blended without a neighbour that failed: patches.jsonl says which`;
  return [{ code: 'blended-without', message }];
}

function modelNotes({ model: { model } }: SlideSession): SlideNote[] {
  return model.notice === undefined ? [] : [{ code: 'model-notice', message: model.notice }];
}
