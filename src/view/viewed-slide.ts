import { join } from 'node:path';
import type { Areas, IouSum, Note, PatchCounts, SlideOpened, TileCounts } from '../event/payloads.js';
import type { SlideSession } from '../stage/session.js';
import { PROBABILITY_STORE } from '../store/probability-store.js';
import { MASK_STORE } from '../store/zarr.js';
import { EventStream } from './event-stream.js';
import type { MaskGrid } from './mask-levels.js';
import type { PatchFacts, PatchTable } from './patch-table.js';
import type { TileSlide } from './tile-messages.js';
import type { TileThread } from './tile-thread.js';

/** Geometry of a slide that is looked at. */
export interface ViewedShape {
  /** Level-0 pixels. */
  readonly width: number;
  readonly height: number;
  /** µm per level-0 pixel. */
  readonly mpp: number;
  /** The grid of the masks; `mpp` is a mask pixel's, `downsample` level-0 pixels per mask pixel. */
  readonly grid: Pick<SlideOpened['grid'], 'cols' | 'rows' | 'side' | 'mpp' | 'downsample'>;
}

/** What viewers are told of a slide; what is not known yet is null. */
export interface ViewedStatus {
  readonly slide: string;
  readonly state: 'open' | 'completed' | 'incomplete' | 'failed';
  readonly run: string | null;
  readonly revision: number;
  readonly format: string | null;
  readonly model: string | null;
  readonly patches: PatchCounts;
  readonly tiles: TileCounts | null;
  readonly area: Areas;
  readonly iou: IouSum | null;
  readonly patchesPerSecond: number;
  readonly etaSeconds: number | null;
  /** RFC 3339. */
  readonly updatedAt: string | null;
  readonly notes: readonly Note[];
  /** Code of what went wrong, and what to do. */
  readonly error: { readonly code: string; readonly fix: string } | null;
}

/** What is looked at of a session that has begun. */
export type OpenedSession = Pick<
  SlideSession,
  'source' | 'viewed' | 'slide' | 'plan' | 'resumed' | 'keptThreshold' | 'aggregate' | 'model'
>;

/** Longest that an outcome waits for others to be told with it: a tenth of a second is at once for the eye. */
const GATHER_MS = 80;

type Status = { -readonly [K in keyof ViewedStatus]: ViewedStatus[K] };

/** A slide that can be looked at: what is known of it, its patches, its tiles, and who is told of changes. */
export class ViewedSlide {
  readonly status: Status;
  readonly folder: string;
  readonly stream = new EventStream();
  readonly shape: ViewedShape | undefined;
  readonly table: PatchTable | undefined;
  /** Its probabilities are kept, and its mask is cut at this, 0–1. */
  keptThreshold: number | undefined;
  readonly #tiles: TileThread;
  #picture: TileSlide['picture'];
  #number: number | undefined;
  #changed: { readonly col: number; readonly row: number }[] = [];
  #gathering: NodeJS.Timeout | undefined;

  /** @param folder of its results. */
  constructor(status: Status, folder: string, tiles: TileThread, shape?: ViewedShape, table?: PatchTable) {
    this.status = status;
    this.folder = folder;
    this.shape = shape;
    this.table = table;
    this.#tiles = tiles;
  }

  get picture(): TileSlide['picture'] {
    return this.#picture;
  }

  get maskGrid(): MaskGrid | undefined {
    if (!this.shape) return undefined;
    const { width, height, grid } = this.shape;
    const { cols, rows, side, downsample } = grid;
    const size = (of: number): number => Math.max(1, Math.round(of / downsample));
    return { core: side, cols, rows, width: size(width), height: size(height) };
  }

  /** Its pixels are at hand, and so is what earlier starts made of it. */
  opened(session: OpenedSession): void {
    const { source, viewed, slide, plan, resumed, keptThreshold, aggregate, model } = session;
    this.keptThreshold = keptThreshold;
    // Its event says only that there was an earlier start.
    if (resumed.length > 0) Object.assign(this.status, { patches: aggregate.counts(false), area: aggregate.areas() });
    const { notice } = model.model;
    if (notice !== undefined) this.status.notes = [...this.status.notes, { code: 'model-notice', message: notice }];
    this.tell();
    if (source && viewed) {
      const { overview } = viewed;
      const canvas = { overview, downsample: plan.downsample * overview.factor };
      const levels = slide.levels.slice(0, viewed.levels);
      this.#picture = { source, shape: { levels, canvas } };
      this.#forget();
      // Whoever came between its event and this knows of no picture.
      if (this.stream.listeners > 0) this.stream.send('reset', {});
    }
    for (const { outcome, ...record } of resumed) this.patch({ ...record, state: outcome });
  }

  patch(facts: PatchFacts): void {
    this.table?.set(facts);
    if (this.stream.listeners === 0) return;
    const { col, row } = facts;
    this.#changed.push({ col, row });
    this.#gathering ??= setTimeout(() => void this.#tellPatches(), GATHER_MS).unref();
  }

  /** Tells viewers what the status says now. */
  tell(): void {
    if (this.stream.listeners > 0) this.stream.send('slide', this.status);
  }

  /** Its number for the tile thread. */
  get number(): number | undefined {
    const grid = this.maskGrid;
    if (!grid) return undefined;
    this.#number ??= this.#tiles.open({
      ...{ mask: join(this.folder, MASK_STORE), probabilities: join(this.folder, PROBABILITY_STORE), grid },
      ...(this.#picture ? { picture: this.#picture } : {}),
    });
    return this.#number;
  }

  close(): void {
    clearTimeout(this.#gathering);
    this.#forget();
  }

  #forget(): void {
    if (this.#number !== undefined) this.#tiles.forget(this.#number);
    this.#number = undefined;
  }

  async #tellPatches(): Promise<void> {
    this.#gathering = undefined;
    const { table } = this;
    const changed = this.#changed.splice(0);
    if (!table) return;
    const area = ({ col, row }: { col: number; row: number }) => ({ col, row, cols: 1, rows: 1 });
    const masked = changed
      .map(patch => [patch.col, patch.row, table.masked(area(patch))[0]!] as const)
      .filter(([, , version]) => version > 0);
    const thumbnails = masked.length > 0 ? await this.#thumbnails(masked) : undefined;
    this.stream.send('patches', {
      patches: changed.map(({ col, row }) => [col, row, table.code(col, row)]),
      masks: thumbnails ? masked.map(([col, row], i) => [col, row, thumbnails[i]!]) : [],
    });
  }

  /** Undefined where they cannot be made: viewers then ask for tiles. */
  async #thumbnails(patches: readonly (readonly [number, number, number])[]): Promise<string[] | undefined> {
    const { number } = this;
    if (number === undefined) return undefined;
    try {
      const bytes = Buffer.from(await this.#tiles.make(number, { op: 'thumbnails', patches }));
      const each = bytes.length / patches.length;
      return patches.map((_, i) => bytes.subarray(i * each, (i + 1) * each).toString('base64'));
    } catch {
      return undefined;
    }
  }
}
