import type { EngineInfo } from '../engine/segmenter.js';
import { toStromaflowError } from '../errors.js';
import { type Events, modelTag } from '../event/contract.js';
import type { Aggregate, TileCounts } from '../event/payloads.js';
import type { ReadyPatch } from '../live/due-patches.js';
import type { PatchPlan, PatchRecord, PatchRef } from '../read/patch.js';
import { patchRefs } from '../read/plan.js';
import type { SlideHandle } from '../read/reader-pool.js';
import type { RemoteTraffic, SlideInfo, TileSourceDescription } from '../slide/slide.js';
import type { RunLedger } from '../store/ledger.js';
import type { SlideOutput } from '../store/output.js';
import { RunningAggregate } from './aggregate.js';
import { type Lack, lackOf } from './lack.js';
import { Presence } from './presence.js';
import { RateMeter } from './rate.js';
import type { PatchLabels, SessionParts, SourceFolder, ViewedPixels } from './session-parts.js';
import type { SlideTrace } from './slide-trace.js';

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

  /** The patches without an outcome, row by row. Stops when the session fails, or `over` aborts, also before the first of them. */
  *due(over?: AbortSignal): Generator<DuePatch, void, undefined> {
    try {
      for (const ref of patchRefs(this.plan)) {
        if (this.failure || over?.aborted) return;
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
