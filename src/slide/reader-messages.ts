import type { WireError } from '../errors.js';
import type { ArenaShape } from '../stage/arena.js';
import type { OverviewCanvas } from './overview.js';
import type { PatchPlan } from './patch.js';
import type { ReadOutcome } from './patch-reader.js';
import type { TileSourceDescription } from './slide.js';
import type { TissueRule } from './tissue.js';

/** What a reader thread is started with. */
export interface ReaderData {
  readonly shape: ArenaShape;
  readonly shared: SharedArrayBuffer;
  /** Bytes of decoded tiles this thread keeps, for all its slides together. */
  readonly cacheBytes: number;
}

export interface OpenRequest {
  readonly op: 'open';
  readonly id: number;
  readonly slide: number;
  readonly source: TileSourceDescription;
  readonly plan: PatchPlan;
  readonly rule: TissueRule | null;
  readonly overview: OverviewCanvas;
}

export interface ReadRequest {
  readonly op: 'read';
  readonly id: number;
  readonly slide: number;
  readonly col: number;
  readonly row: number;
  readonly slot: number;
}

export interface CloseRequest {
  readonly op: 'close';
  readonly id: number;
  readonly slide: number;
}

export type ReaderRequest = OpenRequest | ReadRequest | CloseRequest;

export interface ReaderReply {
  readonly id: number;
  /** Of a read. */
  readonly outcome?: ReadOutcome;
  readonly error?: WireError;
}
