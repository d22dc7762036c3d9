import type { PatchRecord } from '../read/patch.js';
import type { RunKey } from '../run-key.js';

/** Port of the ledger: which patches of which run are done. Crash-safe; one process writes it. */

export interface RunState {
  /** Starts at 1; grows by one with every aggregate published. Survives restarts. */
  revision: number;
  state: 'open' | 'completed' | 'incomplete' | 'failed';
  /** Of a run that began while its slide grew: names the content the slide had when it was completed. */
  finished?: string;
  /** Tiles that had come when the slide was declared incomplete; those that follow are late. */
  tilesSeen?: number;
}

/** What ties a finished slide to the run that began while it grew (docs/decisions/0007-growing-identity.md). */
export interface RunGrowth {
  readonly identity: string;
  /** The slide grows now: a new run is remembered under the identity. */
  readonly growing: boolean;
  /** Names the content as it is now. */
  content(): string;
}

export interface RunLedger {
  readonly state: Readonly<RunState>;
  /** The fingerprint that the run began under; it names the run in events. */
  readonly fingerprint: string;
  /** Records of earlier starts and of this one, in no order. */
  records(): Iterable<PatchRecord>;
  get(level: number, col: number, row: number): PatchRecord | undefined;
  /** Durable once resolved (synced to disk). Writing the same patch again replaces its record. */
  record(patch: PatchRecord): Promise<void>;
  update(state: RunState): Promise<void>;
}

/** What is known of a run without opening it. */
export interface KnownRun {
  readonly state: RunState['state'];
  /** Of the slide, as it was when the run began. */
  readonly fingerprint: string;
  /** Identity, of a run that began while its slide grew, and the content that it had in the end. */
  readonly growth?: string | undefined;
  readonly finished?: string | undefined;
}

/** Which slide a name means: two slides never share one. Names that differ only in case are one, as they are in some folders. */
export interface NameRegister {
  /** The source that a name was given to. */
  sourceOf(name: string): string | undefined;
  /** The name that a source was given last. */
  nameOf(source: string): string | undefined;
  /** Durable once resolved. */
  give(name: string, source: string): Promise<void>;
}

export interface Ledger {
  /**
   * Opens the run with this key, or the one that began while the slide grew, unless it was completed with other content. A
   * run of the same slide with another key is dropped: aggregates start over.
   */
  run(key: RunKey, growth?: RunGrowth): Promise<RunLedger>;
  /** The run that stands under a slide's name, whatever its key. */
  find(slide: string): KnownRun | undefined;
  readonly names: NameRegister;
  close(): Promise<void>;
}
