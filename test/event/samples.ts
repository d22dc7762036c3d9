import { createEvents, type Events, type MaskInput } from '#src/event/contract.js';
import type { Aggregate, DeadLetter, SlideFinished, SlidePayloads } from '#src/event/payloads.js';
import { encodeMaskPng } from '#src/mask/png.js';

/** Events as a run makes them, for every test of this room. */
export const SITE = { site: 'Sint-Jan', scanner: 'GT 450 №2' };
export const TIME = '2026-03-01T09:30:00.000Z';

export const createSampleEvents = (prefix?: string): Events =>
  createEvents({ ...SITE, now: () => new Date(TIME), ...(prefix ? { prefix } : {}) });

export function maskInput(change: Partial<MaskInput['ref']> = {}, side = 64): MaskInput {
  const bits = new Uint8Array((side / 8) * side);
  bits.fill(0xff, 0, bits.length / 4);
  const ref = { slide: 'S22-0412_A1', level: 1, col: 3, row: 2, x: 384, y: 256, width: 128, height: 100, ...change };
  return {
    ref,
    record: {
      level: ref.level,
      col: ref.col,
      row: ref.row,
      outcome: 'segmented',
      validPixels: 3200,
      tissuePixels: 2500,
      stromaPixels: 1024,
    },
    png: encodeMaskPng({ width: side, height: side, bits }),
    plan: {
      slide: ref.slide,
      level: ref.level,
      scale: 1,
      downsample: 2,
      mpp: 0.499,
      patchSize: side,
      margin: 0,
      padding: 'zero',
      core: side,
      cols: 5,
      rows: 4,
      width: 320,
      height: 178,
      slideWidth: 640,
      slideHeight: 356,
    },
    engine: { model: 'starter', modelVersion: '0.1.0+1a2b3c4d' },
    run: 'a1b2c3d4e5f6',
  };
}

const head = { slide: 'S22-0412_A1', run: 'a1b2c3d4e5f6', revision: 7 };
const patches = { expected: 20, segmented: 12, empty: 5, missing: 0, failed: 1 };
const area = { stromaMm2: 0.4, tissueMm2: 0.8, stromaFraction: 0.5 };
const iou = { value: 0.8125, intersection: 13, union: 16, labelledPatches: 12 };

export const aggregate: Aggregate = {
  slide: head.slide,
  revision: 7,
  provisional: true,
  patches,
  area,
  iou,
  model: 'starter@0.1.0+1a2b3c4d',
  mpp: 0.499,
  updatedAt: TIME,
};

const finished: SlideFinished = { ...head, patches, area, iou, model: aggregate.model, seconds: 61.25 };

export const slidePayloads: SlidePayloads = {
  opened: {
    ...head,
    resumed: false,
    format: 'Aperio SVS',
    width: 640,
    height: 356,
    mpp: 0.2495,
    grid: { cols: 5, rows: 4, side: 64, mpp: 0.499, downsample: 2, width: 320, height: 178 },
    model: aggregate.model,
    axes: { x: 0.249, y: 0.25 },
    bounds: { x: 0, y: 16, width: 640, height: 340 },
    notes: [{ code: 'level-left-out', message: 'level 2 of 100 × 90 pixels fits no whole reduction' }],
  },
  progress: { ...head, patches, fraction: 0.9, patchesPerSecond: 21.3, etaSeconds: null },
  completed: finished,
  incomplete: { ...finished, reason: 'stalled' },
  failed: {
    slide: head.slide,
    error: { code: 'SLIDE_NO_MPP', message: 'states no spacing', fix: 'give it with --mpp' },
  },
};

export const deadLetter: DeadLetter = {
  slide: head.slide,
  run: head.run,
  stage: 'read',
  patch: { level: 1, col: 3, row: 2, x: 384, y: 256, width: 128, height: 100 },
  attempts: 1,
  error: { code: 'TILE_CORRUPT', message: 'tile 3,2 of level 1: not a JPEG', fix: 'scan the slide again' },
};
