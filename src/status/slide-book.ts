import { ERRORS } from '../errors.js';
import type { MaskEvent, SlideEvent, StromaEvent } from '../event/decode.js';
import type { Aggregate, Areas, EventError, PatchCounts } from '../event/payloads.js';
import type { PatchRef } from '../read/patch.js';
import type { SlideSession } from '../stage/session.js';
import type { SlideSummary } from '../store/summary.js';
import { withoutFolders } from '../text.js';
import { emptyGrid, maskCell, NOT_ANALYSED, setCell } from './grid.js';
import type { SlideGrid, SlideStatus } from './report.js';

/** Ended slides that are remembered. */
export const REMEMBERED = 50;

const NO_PATCHES: PatchCounts = { expected: 0, segmented: 0, empty: 0, missing: 0, failed: 0 };
const NO_AREA: Areas = { stromaMm2: 0, tissueMm2: 0, stromaFraction: 0 };

type ResumedSession = Pick<SlideSession, 'slide' | 'aggregate' | 'resumed'>;

type Entry = { -readonly [K in keyof SlideStatus]: SlideStatus[K] } & { grid?: SlideGrid };

/** Keeps what the published events say of each slide. */
export class SlideBook {
  readonly #slides = new Map<string, Entry>();

  hear(event: StromaEvent): void {
    if (event.kind === 'mask') this.#mask(event);
    else if (event.kind === 'aggregate') this.#aggregate(event.aggregate);
    else if (event.kind === 'slide') this.#slide(event);
  }

  /** A slide that an earlier start finished; of one that was heard of since, that says more. */
  recall(summary: SlideSummary): void {
    const { slide, state, revision, patches, tiles, area, iou, updatedAt, timings } = summary;
    if (state === 'failed' || this.#slides.has(slide)) return;
    const startedAt = new Date(Date.parse(updatedAt) - (timings['seconds'] ?? 0) * 1000).toISOString();
    const known = {
      ...fresh(slide, startedAt),
      revision,
      patches: { ...NO_PATCHES, ...patches },
      tiles: tiles ?? null,
      area,
      iou: iou ?? null,
    };
    const isDone = patches.segmented + patches.empty > 0;
    const error = state === 'incomplete' ? incomplete(isDone ? 'tiles-missing' : 'patches-failed') : null;
    this.#slides.set(slide, { ...known, state, updatedAt, endedAt: updatedAt, error });
    this.#forget();
  }

  /** What earlier starts made of a slide that is open again; its event says only that there were some. */
  resume({ slide, aggregate, resumed }: ResumedSession): void {
    const entry = this.#slides.get(slide.id);
    if (!entry || resumed.length === 0) return;
    Object.assign(entry, { patches: aggregate.counts(false), area: aggregate.areas() });
    for (const { col, row, outcome, stromaPixels, validPixels } of resumed)
      if (outcome === 'segmented' && entry.grid) setCell(entry.grid, col, row, maskCell(stromaPixels, validPixels));
  }

  /** A patch of an open slide has come to nothing that can be judged. */
  mark({ slide, col, row }: Pick<PatchRef, 'slide' | 'col' | 'row'>, as: keyof typeof NOT_ANALYSED): void {
    const grid = this.#slides.get(slide)?.grid;
    if (grid) setCell(grid, col, row, NOT_ANALYSED[as]);
  }

  /** Open slides in the order they came, then ended ones, the last one first. */
  list(): SlideStatus[] {
    const all = [...this.#slides.values()].map(({ grid, ...status }) => status);
    const ended = all.filter(slide => slide.endedAt !== null);
    ended.sort((a, b) => (b.endedAt ?? '').localeCompare(a.endedAt ?? ''));
    return [...all.filter(slide => slide.endedAt === null), ...ended];
  }

  grid(slide: string): SlideGrid | undefined {
    return this.#slides.get(slide)?.grid;
  }

  #mask(mask: MaskEvent): void {
    const grid = this.#slides.get(mask.slide)?.grid;
    if (grid) setCell(grid, mask.col, mask.row, maskCell(mask.stromapixels, mask.validpixels));
  }

  #aggregate(aggregate: Aggregate): void {
    const entry = this.#slides.get(aggregate.slide);
    if (!entry) return;
    const { revision, patches, tiles, area, iou, updatedAt } = aggregate;
    Object.assign(entry, { revision, patches, tiles: tiles ?? null, area, iou: iou ?? null, updatedAt });
  }

  #slide(event: SlideEvent): void {
    const { time, payload } = event;
    const entry = this.#slides.get(payload.slide) ?? fresh(payload.slide, time);
    switch (event.state) {
      case 'opened': {
        const { revision, grid: planned, resumed } = event.payload;
        const patches = resumed ? entry.patches : { ...NO_PATCHES, expected: planned.cols * planned.rows };
        // Set anew, so that a slide that comes again moves to the end of the list.
        this.#slides.delete(payload.slide);
        const reopened: Entry = {
          ...fresh(payload.slide, time),
          area: resumed ? entry.area : NO_AREA,
          revision,
          patches,
        };
        const grid = emptyGrid(planned.cols, planned.rows);
        if (grid) reopened.grid = grid;
        this.#slides.set(payload.slide, reopened);
        return;
      }
      case 'progress': {
        const { patches, patchesPerSecond, etaSeconds } = event.payload;
        Object.assign(entry, { patches, patchesPerSecond, etaSeconds, updatedAt: time });
        break;
      }
      case 'completed':
      case 'incomplete': {
        const { patches, area, iou, revision } = event.payload;
        const error = 'reason' in event.payload ? incomplete(event.payload.reason) : null;
        Object.assign(entry, { patches, area, iou: iou ?? null, revision, error });
        end(entry, event.state, time);
        break;
      }
      case 'failed':
        entry.error = shareable(event.payload.error);
        end(entry, 'failed', time);
    }
    this.#slides.set(payload.slide, entry);
    this.#forget();
  }

  #forget(): void {
    const ended = this.list().filter(slide => slide.endedAt !== null);
    for (const { slide } of ended.slice(REMEMBERED)) this.#slides.delete(slide);
  }
}

const fresh = (slide: string, time: string): Entry => ({
  slide,
  state: 'open',
  revision: 0,
  patches: NO_PATCHES,
  tiles: null,
  area: NO_AREA,
  iou: null,
  patchesPerSecond: 0,
  etaSeconds: null,
  startedAt: time,
  updatedAt: time,
  endedAt: null,
  error: null,
});

function end(entry: Entry, state: SlideStatus['state'], time: string): void {
  Object.assign(entry, { state, updatedAt: time, endedAt: time, patchesPerSecond: 0, etaSeconds: null });
}

const incomplete = (reason: string): EventError => ({
  code: 'SLIDE_INCOMPLETE',
  message: reason,
  fix: ERRORS.SLIDE_INCOMPLETE.fix,
});

/** As other machines may read it. */
const shareable = ({ code, message, fix }: EventError): EventError => ({
  code,
  message: withoutFolders(message),
  fix: withoutFolders(fix),
});
