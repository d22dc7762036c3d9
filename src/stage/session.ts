import type { ServingModel } from '../engine/model-switch.js';
import type { EngineInfo } from '../engine/segmenter.js';
import { toStromaflowError } from '../errors.js';
import { type Events, modelTag } from '../event/contract.js';
import type { Aggregate, TileCounts } from '../event/payloads.js';
import type { ReadyPatch } from '../live/due-patches.js';
import type { OverviewCanvas } from '../read/overview.js';
import type { PatchMask, PatchPlan, PatchRecord, PatchRef } from '../read/patch.js';
import { patchRefs } from '../read/plan.js';
import type { SlideHandle } from '../read/reader-pool.js';
import type { SlideNote } from '../slide/note.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import type { RemoteTraffic, SlideInfo, TileSourceDescription } from '../slide/slide.js';
import type { RunLedger } from '../store/ledger.js';
import type { SlideOutput } from '../store/output.js';
import { RunningAggregate } from './aggregate.js';
import { type Lack, lackOf } from './lack.js';
import { Presence } from './presence.js';
import { RateMeter } from './rate.js';
import type { SlideTrace } from './slide-trace.js';

/** Port of the truth for a slide that has labels. */
export interface PatchLabels {
  /**
   * Pixel counts of mask ∧ label and mask ∨ label; `mask` undefined: nothing was found. Undefined where unlabelled.
   * `probabilities`: patchSize² bytes, round(255 p), where the engine was asked for them. `missing`: pixels of the core that the slide
   * does not store; they are compared with nothing.
   */
  score(
    ref: PatchRef,
    mask: PatchMask | undefined,
    probabilities?: Uint8Array,
    missing?: readonly PixelRectangle[],
  ): Promise<{ intersection: number; union: number } | undefined>;
  /** What a person who reads the score must know of the labels. */
  readonly notes?: readonly SlideNote[];
  close(): Promise<void>;
}

/** Port of the folder that a slide lies in: one on a share may be away for a while. */
export interface SourceFolder {
  isAway(): boolean;
  /** True as soon as it is there; false when the signal aborts before. */
  back(signal: AbortSignal): Promise<boolean>;
  /** Times that it was away and came back. */
  readonly outages: number;
}

/** For whoever shows a slide, besides its source. */
export interface ViewedPixels {
  /** That the source has, from the finest on: of a slide that grows it may know fewer than the slide has. */
  readonly levels: number;
  /** The picture that reader threads fill. */
  readonly overview: OverviewCanvas;
}

export interface SessionParts {
  readonly slide: SlideInfo;
  readonly plan: PatchPlan;
  readonly reader: SlideHandle;
  /** Absent: nobody can look at it. */
  readonly viewed?: ViewedPixels;
  /** What its reader threads were given. */
  readonly source?: TileSourceDescription;
  /** More tiles may come. */
  readonly grows?: boolean;
  readonly output: SlideOutput;
  readonly run: RunLedger;
  /** Names the run in events. */
  readonly runToken: string;
  readonly events: Events;
  /** Segments this slide, from its first patch to its last. */
  readonly model: ServingModel;
  readonly labels?: PatchLabels;
  /** How the slide's tiles stand. */
  readonly tiles?: () => TileCounts;
  /** What it does not store was not scanned. */
  readonly sparse?: () => boolean;
  /** Of a slide in a folder that is watched. */
  readonly folder?: SourceFolder;
  /** Of a slide at an address: what was asked of its server so far. */
  readonly traffic?: () => RemoteTraffic;
  /** Records of the ledger whose mask is gone: their patches are due again. */
  readonly lost?: readonly PatchRecord[];
  /** Probabilities are kept, and masks are cut at this, 0–1. */
  readonly keptThreshold?: number | undefined;
  /** Where what is done for it is traced. */
  readonly trace?: SlideTrace | undefined;
}

/** A patch that is due: its pixels exist and it has no outcome yet. */
export interface DuePatch {
  readonly session: SlideSession;
  readonly ref: PatchRef;
  /** performance.now() at which its pixels could be read. */
  readonly dueAt: number;
  /** It has an outcome, or can get none in this start, and is read and inferred for its neighbours alone. */
  readonly again?: true;
}

/** One slide on its way through the graph: its plan, its reader, its outputs, and what is known of it so far. */
export class SlideSession {
  readonly slide: SlideInfo;
  readonly plan: PatchPlan;
  readonly reader: SlideHandle;
  readonly viewed: ViewedPixels | undefined;
  readonly source: TileSourceDescription | undefined;
  readonly grows: boolean;
  readonly output: SlideOutput;
  readonly run: RunLedger;
  readonly runToken: string;
  readonly events: Events;
  readonly model: SessionParts['model'];
  readonly labels: PatchLabels | undefined;
  readonly folder: SourceFolder | undefined;
  readonly traffic: (() => RemoteTraffic) | undefined;
  readonly keptThreshold: number | undefined;
  /** Of a worker's slide it is another whenever the process that hands out is another. */
  trace: SlideTrace | undefined;
  readonly #tiles: (() => TileCounts) | undefined;
  readonly #sparse: () => boolean;
  readonly aggregate: RunningAggregate;
  readonly startedAt = performance.now();
  /** Revision that this start began with. */
  readonly openedAt: number;
  /** Outcomes of earlier starts that stand. */
  readonly resumed: readonly PatchRecord[];
  /** Patches that got an outcome lately. */
  readonly rate = new RateMeter();
  readonly #failed = new AbortController();
  #revision: number;
  /** Its patches that are inside the graph. */
  readonly presence = new Presence();
  readonly #segmented: ReadonlySet<number>;

  constructor(parts: SessionParts) {
    this.slide = parts.slide;
    this.plan = parts.plan;
    this.reader = parts.reader;
    this.viewed = parts.viewed;
    this.source = parts.source;
    this.grows = parts.grows ?? false;
    this.output = parts.output;
    this.run = parts.run;
    this.runToken = parts.runToken;
    this.events = parts.events;
    this.model = parts.model;
    this.labels = parts.labels;
    this.folder = parts.folder;
    this.traffic = parts.traffic;
    this.keptThreshold = parts.keptThreshold;
    this.trace = parts.trace;
    this.#tiles = parts.tiles;
    this.#sparse = parts.sparse ?? (() => false);
    this.aggregate = new RunningAggregate(parts.plan);
    this.#revision = parts.run.state.revision;
    this.openedAt = this.#revision;
    const place = ({ col, row }: PatchRecord): number => row * this.plan.cols + col;
    const lost = new Set(parts.lost?.map(place));
    const again: readonly PatchRecord['outcome'][] = ['failed', 'missing'];
    const stands = (record: PatchRecord): boolean => !again.includes(record.outcome) && !lost.has(place(record));
    this.resumed = [...parts.run.records()].filter(stands);
    for (const record of this.resumed) this.aggregate.add(record);
    this.#segmented = new Set(this.resumed.filter(({ outcome }) => outcome === 'segmented').map(place));
  }

  /** The patches without an outcome, row by row. Stops when the session fails. */
  *due(): Generator<DuePatch, void, undefined> {
    try {
      for (const ref of patchRefs(this.plan)) {
        if (this.failure) return;
        if (this.aggregate.has(ref.col, ref.row)) continue;
        this.presence.enter();
        yield { session: this, ref, dueAt: performance.now() };
      }
    } finally {
      this.endOfDue();
    }
  }

  /** The patches without an outcome among those that become ready, in their order. Stops when the session fails. */
  async *dueWhenReady(ready: AsyncIterable<ReadyPatch>): AsyncGenerator<DuePatch, void, undefined> {
    try {
      for await (const { ref, at } of ready) {
        if (this.failure) return;
        if (this.aggregate.has(ref.col, ref.row)) continue;
        this.presence.enter();
        yield { session: this, ref, dueAt: at };
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.endOfDue();
    }
  }

  /** Patches that somebody else chose; `endOfDue` says that none will follow. */
  dueAt(refs: readonly PatchRef[]): DuePatch[] {
    this.presence.enter(refs.length);
    return refs.map(ref => ({ session: this, ref, dueAt: performance.now() }));
  }

  endOfDue(): void {
    this.presence.end();
  }

  /** Resolves when no patch is inside the graph but those that wait for neighbours, and none will follow: all done, failed, or stopped. */
  get drained(): Promise<void> {
    return this.presence.drained;
  }

  /** It has a mask of an earlier start. */
  wasSegmented(col: number, row: number): boolean {
    return this.#segmented.has(row * this.plan.cols + col);
  }

  /** Outputs, bus or ledger broke: no more of this slide is read, and it is not finished. */
  get failure(): Error | undefined {
    return this.#failed.signal.aborted ? (this.#failed.signal.reason as Error) : undefined;
  }

  set failure(error: Error | undefined) {
    this.#failed.abort(error);
  }

  /** What its source failed with is this slide's alone. */
  fail(error: unknown): void {
    this.failure ??= toStromaflowError(error, 'SLIDE_UNREADABLE', this.slide.id);
  }

  /** Aborts with the failure. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** A patch left the graph, with its outcome on record or without. */
  leave(): void {
    this.presence.leave();
  }

  settle(record: PatchRecord): void {
    this.aggregate.add(record);
    this.rate.add();
  }

  /** How the slide's tiles stand; undefined where only the pixels tell. */
  get tiles(): TileCounts | undefined {
    return this.#tiles?.();
  }

  /** What the slide does not store was not scanned. */
  get sparse(): boolean {
    return this.#sparse();
  }

  /** Part of the level's grid for which the slide lists a tile, 0–1; 0 where only the pixels tell. */
  get listed(): number {
    const { width, height, tileWidth, tileHeight } = this.slide.levels[this.plan.level]!;
    const places = Math.ceil(width / tileWidth) * Math.ceil(height / tileHeight);
    return Math.min(1, (this.tiles?.expected ?? 0) / places);
  }

  /** Why the slide is not completed although every patch has an outcome. */
  get lack(): Lack | undefined {
    const { aggregate, plan, listed } = this;
    const missing = aggregate.missingPixels / (plan.width * plan.height);
    // Places of the grid that are not listed are no loss.
    const ofListed = listed > 0 ? (missing - (1 - listed)) / listed : 0;
    return lackOf(aggregate.counts(true), this.tiles, this.sparse, ofListed);
  }

  /** What runs the slide's model. */
  get engine(): EngineInfo {
    return this.model.segmenter.info;
  }

  /** Patches that had an outcome before this start. */
  get resumedPatches(): number {
    return this.resumed.length;
  }

  /** Seconds since this start took the slide up. */
  get seconds(): number {
    return (performance.now() - this.startedAt) / 1000;
  }

  /** Closes what only this session reads. */
  async close(): Promise<void> {
    await this.reader.close();
    await this.output.close();
    await this.labels?.close();
  }

  get revision(): number {
    return this.#revision;
  }

  /** The aggregate as it stands, under the next revision. */
  nextAggregate(final: boolean): Aggregate {
    this.#revision += 1;
    const iou = this.aggregate.iou();
    const { tiles } = this;
    return {
      slide: this.slide.id,
      revision: this.#revision,
      provisional: !final,
      patches: this.aggregate.counts(final),
      area: this.aggregate.areas(),
      ...(tiles ? { tiles } : {}),
      ...(iou ? { iou } : {}),
      model: modelTag(this.engine),
      mpp: this.plan.mpp,
      updatedAt: new Date().toISOString(),
    };
  }
}
