import { type Stats, statSync } from 'node:fs';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { sampleFileAt } from '../slide/file-samples.js';
import type { OpenedSlide } from '../slide/slide.js';
import { ALWAYS_THERE, type Presence } from '../watch/presence.js';
import { factsOf } from './facts-of.js';

/** 'same': it is what was opened. 'replaced': it is something else. 'gone': it was deleted, or moved. */
export type WholeState = 'same' | 'replaced' | 'gone';

export interface WholeOptions {
  /** Time between two looks. */
  readonly pollSeconds: number;
  /** Default: always there. */
  readonly presence?: Presence | undefined;
  /** Ends the looking. */
  readonly signal?: AbortSignal | undefined;
}

/** Files asked about in one look, in turn: a DICOM slide may have thousands. */
const ASKED_A_LOOK = 64;
/** Of a slide in more files their content is not looked at. */
const MOST_SAMPLED = 64;

interface Known {
  stats: Stats;
  /** Hash of pieces of it: its size and time may be kept by who writes it. */
  readonly sample: string | undefined;
}

/** A slide that was opened as a whole, for as long as it is segmented: whatever is written over its files ends that. */
export class WholeSlide {
  readonly opened: OpenedSlide;
  /** Aborts when it is no longer the slide that was opened. */
  readonly replaced: AbortSignal;
  /** Resolves once nobody reads it any more: true when it should be opened again. */
  readonly closed: Promise<boolean>;
  readonly #files: ReadonlyMap<string, Known>;
  readonly #presence: Presence;
  readonly #pollMs: number;
  readonly #stopped: AbortSignal;
  readonly #stop = new AbortController();
  readonly #replaced = new AbortController();
  #state: WholeState = 'same';
  #close: (again: boolean) => void = () => undefined;
  #turn = 0;

  /**
   * Opens a slide.
   *
   * @param paths its files. They are looked at before it is opened, so that no change goes unseen.
   * @throws what `open` throws; the system's error when one of the files cannot be read.
   */
  static async open(
    paths: readonly string[],
    options: WholeOptions,
    open: () => OpenedSlide | Promise<OpenedSlide>,
  ): Promise<WholeSlide> {
    const files = new Map<string, Known>();
    for (const path of paths) {
      const sample = paths.length <= MOST_SAMPLED ? sampleFileAt(path) : undefined;
      files.set(path, { stats: statSync(path), sample });
    }
    return new WholeSlide(await open(), files, options);
  }

  private constructor(
    opened: OpenedSlide,
    files: ReadonlyMap<string, Known>,
    { pollSeconds, presence = ALWAYS_THERE, signal }: WholeOptions,
  ) {
    this.opened = opened;
    this.#files = files;
    this.#presence = presence;
    this.replaced = this.#replaced.signal;
    this.closed = new Promise(resolve => {
      this.#close = resolve;
    });
    this.#pollMs = pollSeconds * 1000;
    this.#stopped = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
  }

  /** Of a slide in one file: names what it held when it was opened. */
  get sample(): string | undefined {
    return this.#files.size === 1 ? this.#files.values().next().value?.sample : undefined;
  }

  /** Looks at its files from now on, until it is closed. */
  keepLooking(): void {
    void this.#look();
  }

  get state(): WholeState {
    return this.#state;
  }

  /**
   * Looks at all of it, at its content too; waits while its folder is away. True when it is what was opened, as far as it can
   * be told.
   */
  async isSame(signal: AbortSignal): Promise<boolean> {
    for (const [path, known] of this.#files) {
      if (!(await this.#presence.back(path, signal))) break;
      await setImmediate();
      this.#compare(path, known, true);
    }
    return this.#state !== 'replaced';
  }

  /** @param again it should be opened again, whether it changed or not. */
  close(again = false): void {
    this.#stop.abort();
    if (this.#state === 'same') for (const [path, known] of this.#files) this.#compare(path, known, false);
    this.#close(again || this.#state === 'replaced');
  }

  async #look(): Promise<void> {
    const files = [...this.#files];
    const signal = this.#stopped;
    while (!signal.aborted && this.#state !== 'replaced') {
      await sleep(this.#pollMs, undefined, { ref: false, signal }).catch(() => undefined);
      for (let asked = 0; asked < Math.min(ASKED_A_LOOK, files.length) && !signal.aborted; asked++)
        this.#compare(...files[this.#turn++ % files.length]!, false);
    }
  }

  #compare(path: string, known: Known, content: boolean): void {
    try {
      const stats = factsOf(path, this.#presence);
      if (stats === 'away' || this.#state === 'replaced') return;
      if (stats === undefined) this.#state = 'gone';
      else if (!this.#isAsOpened(path, known, stats, content)) {
        this.#state = 'replaced';
        this.#replaced.abort();
      } else {
        // It may have been somewhere else for a while.
        this.#state = 'same';
        known.stats = stats;
      }
    } catch {
      // The share does not answer as it should: nothing is known now.
    }
  }

  #isAsOpened(path: string, { stats: was, sample }: Known, stats: Stats, content: boolean): boolean {
    if (stats.size !== was.size || stats.mtimeMs !== was.mtimeMs) return false;
    if (sample === undefined) return stats.ino === was.ino;
    // Who writes it may set its time back; and who touches its rights, or numbers its inodes anew, changes nothing.
    const isTouched = stats.ctimeMs !== was.ctimeMs || stats.ino !== was.ino;
    return !(content || isTouched) || sampleFileAt(path) === sample;
  }
}
