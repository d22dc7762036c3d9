import type { BusEvent } from '../event/bus.js';
import type { StreamMark } from '../event/stream/kept-events.js';
import type { PatchPlan, PatchRecord } from '../read/patch.js';
import type { RunKey } from '../run-key.js';

/** Port of the ledger: which patches of which run are done. Crash-safe; one process writes it. */

/** An event as it was published; its data is JSON. */
export type SaidEvent = Omit<BusEvent, 'data'> & { readonly json: string };

/** What was said of a run, so that it can be said again where a server lost it. Its masks are in the slide's files. */
export interface Said {
  readonly plan: PatchPlan;
  readonly model: string;
  readonly modelVersion: string;
  /** Names the run in events. */
  readonly run: string;
  readonly opened: SaidEvent;
  readonly aggregate?: SaidEvent;
  /** The slide is over: completed, incomplete. */
  readonly ending?: SaidEvent;
  /** Up to where the streams were known to hold it. */
  readonly marks?: readonly StreamMark[];
}

export interface RunState {
  /** Starts at 1; grows by one with every aggregate published. Survives restarts. */
  revision: number;
  state: 'open' | 'completed' | 'incomplete' | 'failed';
  /** Of a run that began while its slide grew: names the content the slide had when it was completed. */
  finished?: string;
  /** Tiles that had come when the slide was declared incomplete; those that follow are late. */
  tilesSeen?: number;
  said?: Said;
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
  /** Its name in events. */
  readonly said?: string | undefined;
  /** RunKey.plan; undefined of a run that is known by its summary alone. */
  readonly plan?: string | undefined;
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
  /** Every run, in the order of their slides' names. */
  runs(): Iterable<{ readonly slide: string; readonly run: RunLedger }>;
  readonly names: NameRegister;
  close(): Promise<void>;
}
