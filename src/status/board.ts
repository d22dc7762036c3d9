import type { EngineInfo } from '../engine/segmenter.js';
import { toWire } from '../errors.js';
import type { EventBus } from '../event/bus.js';
import type { PipelineObserver, StageName } from '../stage/observer.js';
import { RateMeter } from '../stage/rate.js';
import type { SlideSummary } from '../store/summary.js';
import { withoutFolders } from '../text.js';
import type { BusObserver } from './observe-bus.js';
import type { SlideGrid, StatusReport } from './report.js';
import { SlideBook } from './slide-book.js';
import { TrainingBook } from './training-book.js';

export interface BoardOptions {
  readonly version: string;
  readonly bus: Pick<EventBus, 'description' | 'connected'>;
  /** What runs the model now. */
  readonly engine?: () => EngineInfo | undefined;
  /** The folder that is watched. */
  readonly folder?: { readonly root: string; readonly reason: string | undefined };
  readonly clock?: Clock;
}

export interface Clock {
  /** Wall clock. */
  now(): Date;
  /** Monotonic, seconds. */
  monotonic(): number;
}

const SYSTEM_CLOCK: Clock = { now: () => new Date(), monotonic: () => performance.now() / 1000 };

const STAGES: readonly StageName[] = ['read', 'batch', 'segment', 'publish', 'store'];

/** Keeps what /status and the page show, fed by the same observers as the metrics. */
export class StatusBoard {
  readonly observer: PipelineObserver;
  readonly busObserver: BusObserver;
  /** Of the run, where this process trains. */
  readonly training = new TrainingBook();
  readonly #options: BoardOptions;
  readonly #clock: Clock;
  readonly #startedAt: Date;
  readonly #startedMonotonic: number;
  readonly #slides = new SlideBook();
  readonly #stages: ReadonlyMap<StageName, StageTally>;
  readonly #patchRate: RateMeter;
  #patchesDone = 0;
  #masksPublished = 0;
  #credits = { free: 0, total: 0 };
  #state: StatusReport['state'] = 'running';
  #lastError: StatusReport['lastError'] = null;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#startedAt = this.#clock.now();
    this.#startedMonotonic = this.#clock.monotonic();
    this.#patchRate = new RateMeter(this.#clock.monotonic);
    this.#stages = new Map(STAGES.map(stage => [stage, new StageTally(this.#clock)]));
    this.observer = this.#createObserver();
    this.busObserver = {
      publishing: () => {},
      published: ({ content, error }) => {
        if (error !== undefined) this.fail(error);
        else if (content) {
          if (content.kind === 'mask') this.#masksPublished += 1;
          if (content.kind === 'dlq') this.#remember(content.letter.error);
          if (content.kind === 'slide' && content.state === 'failed') this.#remember(content.payload.error);
          this.#slides.hear(content);
        }
      },
    };
  }

  /** Says the newest error on the board. */
  fail(error: unknown): void {
    this.#remember(toWire(error));
  }

  /** After the first interrupt. */
  drain(): void {
    this.#state = 'draining';
  }

  get draining(): boolean {
    return this.#state === 'draining';
  }

  /** Slides that earlier starts finished. */
  recall(summaries: readonly SlideSummary[]): void {
    for (const summary of summaries) this.#slides.recall(summary);
  }

  /** A slide's session has begun; its event came before. */
  opened(session: Parameters<SlideBook['resume']>[0]): void {
    this.#slides.resume(session);
  }

  grid(slide: string): SlideGrid | undefined {
    return this.#slides.grid(slide);
  }

  report(): StatusReport {
    const { version, bus, folder } = this.#options;
    const engine = this.#options.engine?.();
    return {
      version,
      startedAt: this.#startedAt.toISOString(),
      uptimeSeconds: this.#clock.monotonic() - this.#startedMonotonic,
      state: this.#state,
      folder: folder ? { path: folder.root, away: folder.reason ?? null } : null,
      engine: engine
        ? {
            name: engine.name,
            version: engine.version,
            device: engine.device,
            model: engine.model,
            modelVersion: engine.modelVersion,
            batch: engine.batch,
          }
        : null,
      bus: { description: bus.description, connected: bus.connected },
      rates: {
        patchesPerSecond: this.#patchRate.perSecond,
        patchesDone: this.#patchesDone,
        masksPublished: this.#masksPublished,
      },
      credits: this.#credits,
      stages: [...this.#stages].map(([stage, tally]) => ({ stage, ...tally.report() })),
      slides: this.#slides.list(),
      training: this.training.report(),
      lastError: this.#lastError,
    };
  }

  #remember(error: { readonly code: string; readonly message: string; readonly fix: string }): void {
    const { code, message, fix } = error;
    this.#lastError = {
      code,
      message: withoutFolders(message),
      fix: withoutFolders(fix),
      at: this.#clock.now().toISOString(),
    };
  }

  #createObserver(): PipelineObserver {
    return {
      entered: stage => void this.#stages.get(stage)?.entered(),
      left: (stage, result) => void this.#stages.get(stage)?.left(result === 'ok'),
      dropped: (reason, patch) => {
        if (reason !== 'empty') this.#slides.mark(patch, reason);
      },
      batched: () => {},
      inferred: () => {},
      credits: (free, total) => {
        this.#credits = { free, total };
      },
      acknowledged: () => {
        this.#patchesDone += 1;
        this.#patchRate.add();
      },
    };
  }
}

class StageTally {
  readonly #clock: Clock;
  readonly #rate: RateMeter;
  #inProgress = 0;
  #done = 0;
  #failed = 0;
  #lastSuccessAt: Date | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#rate = new RateMeter(clock.monotonic);
  }

  entered(): void {
    this.#inProgress += 1;
  }

  left(ok: boolean): void {
    this.#inProgress -= 1;
    this.#rate.add();
    if (!ok) {
      this.#failed += 1;
      return;
    }
    this.#done += 1;
    this.#lastSuccessAt = this.#clock.now();
  }

  report() {
    return {
      inProgress: this.#inProgress,
      done: this.#done,
      failed: this.#failed,
      perSecond: this.#rate.perSecond,
      lastSuccessAt: this.#lastSuccessAt?.toISOString() ?? null,
    };
  }
}
