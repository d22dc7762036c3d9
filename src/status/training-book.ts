import { learningCurves } from '../train/curves.js';
import type { EpochLine } from '../train/progress.js';

/** How a training run gets on: what /status and the page show of it. A value that is not known yet is null. */
export interface TrainingStatus {
  /** Name of the run. */
  readonly run: string;
  /** 'preparing' while the set is looked at. */
  readonly state: 'preparing' | 'learning' | 'validating' | 'over' | 'interrupted';
  /** The one that is being learned, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Patches of the epoch, or of its validation, that are done, and how many there are. */
  readonly done: number;
  readonly patches: number;
  /** Means of the epoch so far, over the patches as they are changed. */
  readonly loss: number | null;
  readonly iou: number | null;
  readonly imagesPerSecond: number | null;
  /** Until the last epoch, at that pace. */
  readonly etaSeconds: number | null;
  /** The epochs that are over. */
  readonly history: readonly Pick<EpochLine, 'epoch' | 'rate' | 'train' | 'validation' | 'best'>[];
}

const PREPARING: Omit<TrainingStatus, 'run' | 'epochs'> = {
  state: 'preparing',
  epoch: 1,
  done: 0,
  patches: 0,
  loss: null,
  iou: null,
  imagesPerSecond: null,
  etaSeconds: null,
  history: [],
};

/** Keeps what is shown of a training run, and draws its curves. */
export class TrainingBook {
  #now: TrainingStatus | null = null;
  /** Of the epochs so far; drawn once an epoch. */
  #curves: string | undefined;

  begin(run: string, epochs: number): void {
    this.#now = { ...PREPARING, run, epochs };
  }

  update(change: Partial<Omit<TrainingStatus, 'run' | 'epochs' | 'history'>>): void {
    if (this.#now) this.#now = { ...this.#now, ...change };
  }

  /** An epoch is over, or those of an earlier session of the run are known. */
  learned(history: readonly EpochLine[]): void {
    if (!this.#now || history.length === 0) return;
    this.#curves = learningCurves(history, this.#now.run);
    const lines = history.map(({ epoch, rate, train, validation, best }) => ({ epoch, rate, train, validation, best }));
    this.#now = { ...this.#now, history: lines };
  }

  /** Null where nothing is trained. */
  report(): TrainingStatus | null {
    return this.#now;
  }

  /** SVG; undefined before the first epoch is over. */
  curves(): string | undefined {
    return this.#curves;
  }
}
