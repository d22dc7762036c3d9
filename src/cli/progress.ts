import type { FlushReason, PipelineObserver, StageName, StageResult } from '../stage/observer.js';
import { RateMeter } from '../stage/rate.js';

export interface ProgressState {
  readonly done: number;
  readonly expected: number;
  readonly patchesPerSecond: number;
  /** Undefined while nothing was done. */
  readonly etaSeconds: number | undefined;
}

/** Counts patches as they are acknowledged; the rate is over the last few seconds, so that a stall shows. */
export class ProgressCounter implements PipelineObserver {
  readonly #makeRate: () => RateMeter;
  #rate: RateMeter | undefined;
  #done = 0;
  #expected = 0;

  constructor(makeRate = () => new RateMeter()) {
    this.#makeRate = makeRate;
  }

  /** A slide brings `patches` more, of which `done` need not be done again. */
  expect(patches: number, done: number): void {
    this.#rate ??= this.#makeRate();
    this.#expected += patches;
    this.#done += done;
  }

  get state(): ProgressState {
    const patchesPerSecond = this.#rate?.perSecond ?? 0;
    const left = this.#expected - this.#done;
    const etaSeconds = patchesPerSecond > 0 ? left / patchesPerSecond : undefined;
    return { done: this.#done, expected: this.#expected, patchesPerSecond, etaSeconds };
  }

  acknowledged(_seconds?: number): void {
    this.#done += 1;
    this.#rate?.add();
  }
  entered(_stage: StageName): void {}
  left(_stage: StageName, _result: StageResult, _seconds: number): void {}
  dropped(_reason: 'empty' | 'failed' | 'missing'): void {}
  batched(_size: number, _reason: FlushReason, _waitSeconds: number): void {}
  inferred(_patches: number, _seconds: number): void {}
  credits(_free: number, _total: number, _waitSeconds: number): void {}
}

const WIDTH = 28;

/** One line: `█████░░░░░ 14/30 patches  1.9 patches/s  ETA 0:08`. */
export function progressLine({ done, expected, patchesPerSecond, etaSeconds }: ProgressState): string {
  const filled = expected > 0 ? Math.floor(Math.min(1, done / expected) * WIDTH) : 0;
  const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
  const rate = `${patchesPerSecond.toFixed(patchesPerSecond < 10 ? 1 : 0)} patches/s`;
  const eta = done >= expected ? '' : `  ETA ${etaSeconds === undefined ? '…' : clock(etaSeconds)}`;
  return `${bar} ${done}/${expected} patches  ${rate}${eta}`;
}

/** 75 → '1:15', 3725 → '1:02:05'. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}
