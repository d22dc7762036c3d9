import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { popcount } from '../mask/bits.js';
import { MaskPyramid } from '../mask/reduce.js';
import { SeamCounter } from '../mask/seams.js';
import type { OverviewCanvas } from '../read/overview.js';
import type { PatchRecord } from '../read/patch.js';
import { PatchRecords } from '../read/patch-records.js';
import { validSize } from '../read/plan.js';
import { blankAreas } from './blank-areas.js';
import { DICOM_SEG, type SegmentedSeries, writeDicomSeg } from './dicom-seg.js';
import { PARTIAL, withOutputErrors, writeFinal } from './final-file.js';
import { otherParts, POLYGON_FILE } from './geojson.js';
import { MASK_TIFF, writeMaskTiff } from './mask-tiff.js';
import { OVERVIEW_FILE, renderOverview } from './overview.js';
import { OverviewMask } from './overview-mask.js';
import { OverviewPixels } from './overview-pixels.js';
import { PATCHES_FILE, PatchLines } from './patches-jsonl.js';
import { ProbabilityStore } from './probability-store.js';
import { SlidePolygons, type SlidePolygonsOptions } from './slide-polygons.js';
import type { SlideFilesSummary, SlideSummary } from './summary.js';
import { MASK_STORE, MaskStore } from './zarr.js';
import type { OmeZarrVersion } from './zarr-metadata.js';

export const SUMMARY_FILE = 'summary.json';

/** `folder` is the slide's own. */
export interface SlideFilesOptions extends SlidePolygonsOptions {
  readonly overview: OverviewCanvas;
  /** Drop what an earlier run left. */
  readonly fresh: boolean;
  /** Of the mask; a store that is gone on with keeps its own. */
  readonly omeZarr?: OmeZarrVersion;
  /** Also as mask.tif. @default false */
  readonly maskTiff?: boolean;
  /** Keep probabilities, whose masks are cut at this. */
  readonly threshold?: number | undefined;
}

export interface ResumedPatches {
  /** Their stored mask is gone or damaged: they must be done again. */
  readonly lost: readonly PatchRecord[];
  /** Their part of the overview was not kept. */
  readonly unpainted: readonly PatchRecord[];
}

/**
 * All files of one slide, written as patches come. Synchronous and therefore never interleaved; it lives in a thread of
 * its own (output.worker.ts). Throws OUTPUT_FULL or OUTPUT_FAILED.
 */
export class SlideFiles {
  readonly #options: SlideFilesOptions;
  readonly #store: MaskStore;
  readonly #probabilities: ProbabilityStore | undefined;
  readonly #pyramid: MaskPyramid;
  readonly #mask: OverviewMask;
  readonly #pixels: OverviewPixels;
  readonly #lines: PatchLines;
  readonly #records: PatchRecords;
  #polygons: SlidePolygons;
  #seams: SeamCounter;
  /** A mask was replaced, which neither polygons nor sums can forget: both are made anew from the store at the end. */
  #stale = false;

  constructor(options: SlideFilesOptions) {
    const { folder, plan, overview, fresh } = options;
    this.#options = options;
    this.#records = new PatchRecords(plan);
    withOutputErrors(folder, () => {
      mkdirSync(folder, { recursive: true });
      if (!fresh) return;
      for (const file of [
        ...otherParts(folder),
        MASK_TIFF,
        DICOM_SEG,
        POLYGON_FILE,
        OVERVIEW_FILE,
        PATCHES_FILE,
        SUMMARY_FILE,
        PARTIAL,
      ]) {
        rmSync(join(folder, file), { recursive: true, force: true });
      }
    });
    this.#store = new MaskStore(folder, plan.slide, plan, fresh, options.omeZarr);
    this.#probabilities = ProbabilityStore.open(folder, plan, fresh, options.threshold);
    this.#pyramid = new MaskPyramid(plan.core, this.#store.levels.length);
    this.#mask = new OverviewMask(plan, overview);
    this.#pixels = new OverviewPixels(folder, plan, overview, fresh);
    this.#lines = new PatchLines(folder, plan);
    this.#polygons = new SlidePolygons(options);
    this.#seams = new SeamCounter(plan);
  }

  /** Takes up the patches of earlier starts. */
  resume(records: Iterable<PatchRecord>): ResumedPatches {
    const lost: PatchRecord[] = [];
    const unpainted: PatchRecord[] = [];
    for (const record of records) {
      const bits = record.stromaPixels > 0 ? this.#store.read(record.col, record.row) : undefined;
      if (record.stromaPixels > 0 && (!bits || popcount(bits) !== record.stromaPixels)) {
        lost.push(record);
        continue;
      }
      if (bits) this.#addMask(record, bits);
      else this.#addClear(record);
      this.catchUp();
      this.#records.set(record);
      if (!this.#pixels.restore(record.col, record.row)) unpainted.push(record);
    }
    this.#lines.rewrite(this.#records);
    return { lost, unpainted };
  }

  /**
   * Writes one patch: its mask where it has one, its part of the overview, its line. Its polygons are traced by `catchUp`, from
   * memory: after a crash they are traced from the masks.
   */
  patch(record: PatchRecord, bits: Uint8Array | undefined, probabilities?: Uint8Array): void {
    if (this.#polygons.isFull) this.catchUp();
    const { col, row } = record;
    const before = this.#records.get(col, row);
    if (before) this.#replace(before, record, bits);
    else if (bits) this.#addMask(record, bits);
    else this.#addClear(record);
    if (!before && bits) this.#store.write(col, row, this.#pyramid);
    // A start that was killed may have written a mask and not its record, and this time the patch came to nothing.
    else if (!bits && (before || !this.#options.fresh)) this.#store.remove(col, row);
    if (probabilities) this.#probabilities?.write(col, row, probabilities, record.missingAt);
    else this.#probabilities?.remove(col, row);
    this.#pixels.save(col, row);
    this.#records.set(record);
    this.#lines.append(record);
  }

  /** Traces what was not traced yet, and writes polygons that nothing to come can change. */
  catchUp(): void {
    this.#orAnew(() => this.#polygons.catchUp());
  }

  /** Polygons that were given out and could not be written have to be traced anew. */
  #orAnew<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  /** What is done again was counted before. */
  #replace(before: PatchRecord, record: PatchRecord, bits: Uint8Array | undefined): void {
    const { col, row } = record;
    const segmented = record.outcome === 'segmented';
    this.#stale ||= segmented !== (before.outcome === 'segmented') || (!bits && before.stromaPixels > 0);
    if (!bits) return;
    const stored = this.#store.read(col, row);
    if (stored && Buffer.compare(stored, bits) === 0) return;
    this.#stale = true;
    this.#load(col, row, bits);
    this.#store.write(col, row, this.#pyramid);
  }

  /**
   * Writes the files that need the whole slide, summary.json last.
   *
   * @param dicomSeg what DICOM segmentations are of; undefined: none are written.
   * @param askedAt milliseconds since 1970 up to which `timings` of the summary reach; what passed since is added to them.
   */
  async finish(
    summary: SlideSummary,
    dicomSeg?: SegmentedSeries,
    askedAt = performance.timeOrigin + performance.now(),
  ): Promise<SlideSummary> {
    const { folder, plan, overview, maskTiff } = this.#options;
    if (this.#stale) this.#rebuild();
    const lines = this.#lines.rewrite(this.#records);
    const polygons = this.#orAnew(() => this.#polygons.finish());
    const picture = await renderOverview(
      overview,
      this.#mask.coverage(),
      summary,
      blankAreas(plan, overview, this.#records),
    );
    writeFinal(folder, OVERVIEW_FILE, put => put(picture.png));
    if (maskTiff) writeMaskTiff(folder, plan, this.#store);
    if (dicomSeg) writeDicomSeg(folder, plan, this.#store, dicomSeg, summary);
    const outputs: SlideFilesSummary = {
      mask: { file: MASK_STORE, levels: this.#store.levels.length, omeZarr: this.#store.version },
      polygons,
      overview: { file: OVERVIEW_FILE, width: picture.width, height: picture.height },
      patches: { file: PATCHES_FILE, lines },
    };
    const finishSeconds = (performance.timeOrigin + performance.now() - askedAt) / 1000;
    const timings = withFinish(summary.timings, finishSeconds);
    const complete: SlideSummary = { ...summary, timings, seams: this.#seams.counts(), outputs };
    writeFinal(folder, SUMMARY_FILE, put => put(`${JSON.stringify(complete, null, 2)}\n`));
    this.close();
    if (summary.state === 'completed') {
      withOutputErrors(folder, () => rmSync(join(folder, PARTIAL), { recursive: true, force: true }));
    }
    return complete;
  }

  close(): void {
    this.#polygons.discard();
    this.#lines.close();
    this.#pixels.close();
  }

  #rebuild(): void {
    const { plan } = this.#options;
    this.#polygons.discard();
    this.#polygons = new SlidePolygons(this.#options);
    this.#seams = new SeamCounter(plan);
    this.#mask.clear();
    for (const record of this.#records) {
      const bits = record.stromaPixels > 0 ? this.#store.read(record.col, record.row) : undefined;
      if (bits) this.#addMask(record, bits);
      else this.#addClear(record);
      this.catchUp();
    }
    this.#stale = false;
  }

  #addMask({ col, row }: PatchRecord, bits: Uint8Array): void {
    this.#load(col, row, bits);
    this.#mask.add(col, row, this.#pyramid, this.#store.levels.length);
    this.#polygons.add(col, row, bits);
    this.#seams.add(col, row, bits);
  }

  /** A patch in which the model saw no stroma is a mask too. */
  #addClear({ col, row, outcome, stromaPixels }: PatchRecord): void {
    this.#polygons.add(col, row);
    if (outcome === 'segmented' && stromaPixels === 0) this.#seams.add(col, row, undefined);
  }

  #load(col: number, row: number, bits: Uint8Array): void {
    const [width, height] = validSize(this.#options.plan, col, row);
    this.#pyramid.load(bits, width, height);
  }
}

/** Of a run that went on for so long after it was asked to end. */
function withFinish(timings: SlideSummary['timings'], finishSeconds: number): SlideSummary['timings'] {
  const { seconds: before = 0, patchesPerSecond = 0 } = timings;
  const seconds = before + finishSeconds;
  return { ...timings, seconds, finishSeconds, patchesPerSecond: (patchesPerSecond * before) / seconds };
}
