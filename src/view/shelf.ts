import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ERRORS } from '../errors.js';
import type { SlideEvent, StromaEvent } from '../event/decode.js';
import type { SlideOpened } from '../event/payloads.js';
import type { PatchRef } from '../read/patch.js';
import { combineObservers, type PipelineObserver } from '../stage/observer.js';
import { LARGEST_TABLE, PatchTable } from './patch-table.js';
import { openStored, readStatus, summaryTime } from './stored-slide.js';
import { TileThread } from './tile-thread.js';
import { type OpenedSession, ViewedSlide, type ViewedStatus } from './viewed-slide.js';

/** Ended slides of this start that keep their pixels at hand, and stored ones that stay open. */
const KEPT = 32;
/** A slide's name, which is that of its folder. */
const NAME = /^[A-Za-z0-9_-]{1,200}$/;

const IDLE = combineObservers([]);

type Place = Pick<PatchRef, 'slide' | 'col' | 'row'>;

/**
 * All slides that can be looked at: those of this start, by their events, and those that earlier ones left in the folder of results.
 */
export class SlideShelf {
  readonly tiles = new TileThread();
  readonly #out: string;
  readonly #slides = new Map<string, ViewedSlide>();
  readonly #stored = new Map<string, { readonly time: number; readonly slide: ViewedSlide }>();
  readonly #statuses = new Map<string, { readonly time: number; readonly status: ViewedStatus }>();

  /** Hears of patches that have no mask. */
  readonly observer: PipelineObserver = {
    ...IDLE,
    dropped: (reason, patch) => this.#dropped(reason, patch),
  };
  /** Hears of what is published; see status/observe-bus.ts. */
  readonly busObserver = {
    publishing: (): void => undefined,
    published: ({ content, error }: { content: StromaEvent | undefined; error: unknown }): void => {
      if (content && error === undefined) this.#hear(content);
    },
  };

  /** @param out the folder of results. */
  constructor(out: string) {
    this.#out = out;
  }

  /** A slide's session has begun; its event came before. */
  opened(session: OpenedSession): void {
    this.#slides.get(session.slide.id)?.opened(session);
  }

  #hear(event: StromaEvent): void {
    if (event.kind === 'mask') {
      const { slide, col, row, validpixels, tissuepixels, stromapixels } = event;
      const counts = { validPixels: validpixels, tissuePixels: tissuepixels, stromaPixels: stromapixels };
      this.#slides.get(slide)?.patch({ col, row, state: 'segmented', ...counts });
    } else if (event.kind === 'aggregate') {
      const { slide, revision, patches, tiles, area, iou, updatedAt } = event.aggregate;
      this.#update(slide, { revision, patches, tiles: tiles ?? null, area, iou: iou ?? null, updatedAt });
    } else if (event.kind === 'slide') this.#state(event);
  }

  /** A patch has come to nothing that has a mask. */
  #dropped(state: 'empty' | 'missing' | 'failed', { slide, col, row }: Place): void {
    this.#slides.get(slide)?.patch({ col, row, state, validPixels: 0, tissuePixels: 0, stromaPixels: 0 });
  }

  /** Those of this start first, the newest first; then stored ones by name. */
  async list(): Promise<ViewedStatus[]> {
    const own = [...this.#slides.values()].map(({ status }) => status).reverse();
    const open = own.filter(({ state }) => state === 'open');
    const ended = own.filter(({ state }) => state !== 'open');
    const stored: ViewedStatus[] = [];
    for (const name of await this.#folders()) {
      if (this.#slides.has(name)) continue;
      const status = await this.#statusOf(name);
      if (status) stored.push(status);
    }
    return [...open, ...ended, ...stored];
  }

  /** Undefined where no slide of that name is known. */
  async find(name: string): Promise<ViewedSlide | undefined> {
    const own = this.#slides.get(name);
    if (own?.shape) return own;
    if (!NAME.test(name)) return undefined;
    const folder = join(this.#out, name);
    const time = await summaryTime(folder);
    const known = this.#stored.get(name);
    if (known && known.time === time) return known.slide;
    known?.slide.close();
    this.#stored.delete(name);
    if (time === undefined) return own;
    const slide = await openStored(folder, this.tiles);
    if (!slide) return own;
    this.#stored.set(name, { time, slide });
    if (this.#stored.size > KEPT) this.#drop(this.#stored.keys().next().value!);
    return slide;
  }

  async close(): Promise<void> {
    for (const slide of this.#slides.values()) slide.close();
    await this.tiles.close();
  }

  #drop(name: string): void {
    this.#stored.get(name)?.slide.close();
    this.#stored.delete(name);
  }

  async #folders(): Promise<string[]> {
    const entries = await readdir(this.#out, { withFileTypes: true }).catch(() => []);
    return entries.flatMap(entry => (entry.isDirectory() && NAME.test(entry.name) ? [entry.name] : [])).sort();
  }

  async #statusOf(name: string): Promise<ViewedStatus | undefined> {
    const folder = join(this.#out, name);
    const time = await summaryTime(folder);
    if (time === undefined) return undefined;
    const known = this.#statuses.get(name);
    if (known?.time === time) return known.status;
    const status = (await readStatus(folder))?.status;
    if (status) this.#statuses.set(name, { time, status });
    return status;
  }

  #state(event: SlideEvent): void {
    const { time: updatedAt, payload } = event;
    const { slide } = payload;
    switch (event.state) {
      case 'opened':
        this.#open(event.payload, updatedAt);
        break;
      case 'progress': {
        const { patches, patchesPerSecond, etaSeconds } = event.payload;
        this.#update(slide, { patches, patchesPerSecond, etaSeconds, updatedAt });
        break;
      }
      case 'completed':
      case 'incomplete': {
        const { patches, area, iou, revision, tiles } = event.payload;
        const error = event.state === 'incomplete' ? errorOf('SLIDE_INCOMPLETE') : null;
        const over = { state: event.state, patchesPerSecond: 0, etaSeconds: null, error, updatedAt };
        this.#update(slide, { ...over, patches, area, revision, iou: iou ?? null, tiles: tiles ?? null });
        break;
      }
      case 'failed': {
        if (!this.#slides.has(slide)) this.#slides.set(slide, this.#unopened(slide));
        const error = errorOf(event.payload.error.code);
        this.#update(slide, { state: 'failed', patchesPerSecond: 0, etaSeconds: null, error, updatedAt });
      }
    }
    this.#forget();
  }

  #open(payload: SlideOpened, updatedAt: string): void {
    const { slide, run, revision, grid, width, height, mpp, format, model, notes = [] } = payload;
    const before = this.#slides.get(slide);
    const cells = grid.cols * grid.rows;
    const status: ViewedStatus = {
      ...fresh(slide),
      ...{ run, revision, format, model, notes, updatedAt },
      patches: { ...NO_PATCHES, expected: cells },
    };
    const table = cells <= LARGEST_TABLE ? new PatchTable(grid.cols, grid.rows) : undefined;
    const opened = new ViewedSlide(
      { ...status },
      join(this.#out, slide),
      this.tiles,
      { width, height, mpp, grid },
      table,
    );
    this.#slides.delete(slide);
    this.#slides.set(slide, opened);
    // Who looked at its earlier run begins anew.
    before?.stream.send('reset', {});
    before?.close();
    this.#drop(slide);
  }

  #unopened(slide: string): ViewedSlide {
    return new ViewedSlide({ ...fresh(slide) }, join(this.#out, slide), this.tiles);
  }

  #update(slide: string, change: Partial<ViewedStatus>): void {
    const found = this.#slides.get(slide);
    if (!found) return;
    Object.assign(found.status, change);
    found.tell();
  }

  #forget(): void {
    const ended = [...this.#slides].filter(([, { status }]) => status.state !== 'open');
    for (const [name, slide] of ended.slice(0, Math.max(0, ended.length - KEPT))) {
      slide.stream.send('reset', {});
      slide.close();
      this.#slides.delete(name);
    }
  }
}

const NO_PATCHES = { expected: 0, segmented: 0, empty: 0, missing: 0, failed: 0 };

const fresh = (slide: string): ViewedStatus => ({
  ...{ slide, state: 'open', run: null, revision: 0, format: null, model: null, patches: NO_PATCHES, tiles: null },
  ...{ area: { stromaMm2: 0, tissueMm2: 0, stromaFraction: 0 }, iou: null, patchesPerSecond: 0, etaSeconds: null },
  ...{ updatedAt: null, notes: [], error: null },
});

/** The message may name folders of the host; the code says the same. */
const errorOf = (code: string): ViewedStatus['error'] => ({
  code,
  fix: code in ERRORS ? ERRORS[code as keyof typeof ERRORS].fix : '',
});
