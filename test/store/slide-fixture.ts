import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { packBits, popcount, toCoreMask } from '#src/mask/bits.js';
import { createOverview, type OverviewCanvas } from '#src/read/overview.js';
import type { PatchMask, PatchPlan, PatchRecord, PatchRef } from '#src/read/patch.js';
import { patchRefs, planPatches, validSize } from '#src/read/plan.js';
import type { SlideInfo } from '#src/slide/slide.js';
import type { SlideSummary } from '#src/store/summary.js';
import { mulberry } from '../mask/naive.js';

/** A slide that exists as a mask only, for the tests of what is written about it. */
export interface MaskedSlide {
  readonly info: SlideInfo;
  readonly plan: PatchPlan;
  readonly canvas: OverviewCanvas;
  /** A byte a plan pixel. */
  readonly pixels: Uint8Array;
  readonly patches: readonly MaskedPatch[];
  readonly summary: SlideSummary;
}

export interface MaskedPatch {
  readonly ref: PatchRef;
  readonly record: PatchRecord;
  readonly mask: PatchMask | undefined;
}

/** Blobs of a few pixels over width × height plan pixels, with every fifth patch left empty. */
export function maskedSlide({
  width,
  height,
  core = 64,
  mpp = 0.5,
  spacing = mpp,
  seed = 1,
}: Partial<Record<'core' | 'mpp' | 'spacing' | 'seed', number>> & {
  width: number;
  height: number;
}): MaskedSlide {
  const info: SlideInfo = {
    ...{
      id: 'slide_1',
      path: '/scans/slide 1.svs',
      format: 'generic tiled TIFF',
      mpp,
      fingerprint: 'f1',
      properties: {},
    },
    levels: [{ width, height, downsample: 1, mpp, tileWidth: 64, tileHeight: 64 }],
  };
  const plan = planPatches(info, { spacing, patchSize: core });
  const random = mulberry(seed);
  const phase = Array.from({ length: 6 }, () => random() * 7);
  const pixels = Uint8Array.from({ length: plan.width * plan.height }, (_, i) => {
    const [x, y] = [i % plan.width, Math.floor(i / plan.width)];
    if ((Math.floor(x / core) + Math.floor(y / core)) % 5 === 4) return 0;
    const wave = Math.sin(x / 5 + phase[0]! + Math.sin(y / 7 + phase[1]!)) + Math.cos(y / 6 + phase[2]!);
    return wave + random() * 0.4 > 0.5 ? 1 : 0;
  });
  const patches = Array.from(patchRefs(plan), ref => maskedPatch(plan, pixels, ref));
  const canvas = createOverview(plan);
  new Uint8Array(canvas.shared).forEach((_, i, shared) => {
    shared[i] = 120 + ((i * 7919) % 120);
  });
  return { info, plan, canvas, pixels, patches, summary: summaryOf(plan, patches) };
}

function maskedPatch(plan: PatchPlan, pixels: Uint8Array, ref: PatchRef): MaskedPatch {
  const { core } = plan;
  const bytes = new Uint8Array(core * core).fill(1);
  const [width, height] = validSize(plan, ref.col, ref.row);
  for (let y = 0; y < height; y++) {
    const from = (ref.row * core + y) * plan.width + ref.col * core;
    bytes.set(pixels.subarray(from, from + width), y * core);
  }
  const mask = toCoreMask(packBits(bytes, core, core), plan, ref);
  const empty = mask.stromaPixels === 0;
  const record: PatchRecord = {
    ...{ level: plan.level, col: ref.col, row: ref.row, outcome: empty ? 'empty' : 'segmented' },
    ...{ validPixels: width * height, tissuePixels: empty ? 0 : width * height, stromaPixels: popcount(mask.bits) },
  };
  return { ref, record, mask: empty ? undefined : mask };
}

function summaryOf(plan: PatchPlan, patches: readonly MaskedPatch[]): SlideSummary {
  const sum = (pick: (record: PatchRecord) => number): number => patches.reduce((s, p) => s + pick(p.record), 0);
  const mm2 = plan.mpp ** 2 / 1e6;
  const [stroma, tissue] = [sum(r => r.stromaPixels), sum(r => r.tissuePixels)];
  const segmented = sum(r => (r.outcome === 'segmented' ? 1 : 0));
  return {
    ...{ schema: 'stromaflow.summary.v1', state: 'completed', slide: plan.slide, revision: 3, provisional: false },
    patches: { expected: patches.length, segmented, empty: patches.length - segmented, missing: 0, failed: 0 },
    area: { stromaMm2: stroma * mm2, tissueMm2: tissue * mm2, stromaFraction: stroma / tissue },
    ...{ model: 'test@1', mpp: plan.mpp, updatedAt: '2026-01-01T00:00:00.000Z' },
    source: {
      ...{ file: 'slide 1.svs', format: 'generic tiled TIFF', mpp: plan.mpp, fingerprint: 'f1', properties: {} },
      ...{ width: plan.slideWidth, height: plan.slideHeight },
    },
    plan: {
      ...{
        level: plan.level,
        patchSize: plan.patchSize,
        margin: plan.margin,
        padding: plan.padding,
        downsample: plan.downsample,
      },
      ...{ cols: plan.cols, rows: plan.rows },
    },
    engine: { name: 'none', version: '0', device: 'cpu', batch: 1 },
    filter: { kept: segmented, dropped: patches.length - segmented, rule: null },
    ...{ timings: { total: 1 }, versions: {}, options: {}, notes: [], errors: [] },
  };
}

/** A folder that is gone after the test. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'stromaflow-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Every file below a folder: path → hash of its content. */
export function filesBelow(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  // How long a run took is its own.
  const content = (file: string) =>
    basename(file) === 'summary.json'
      ? JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), timings: {} })
      : readFileSync(file);
  const hash = (file: string): string => createHash('sha256').update(content(file)).digest('hex');
  return Object.fromEntries(files.sort().map(file => [relative(folder, file), hash(file)]));
}
