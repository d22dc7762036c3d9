import type { ArenaShape } from '../arena.js';
import type { WireError } from '../errors.js';
import type { TileSourceDescription } from '../slide/slide.js';
import type { OverviewCanvas } from './overview.js';
import type { PatchPlan } from './patch.js';
import type { ReadOutcome } from './patch-reader.js';
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

export interface CloseRequest {
  readonly op: 'close';
  readonly id: number;
  readonly slide: number;
}

/** What came before is answered, then the thread ends by itself. */
export interface EndRequest {
  readonly op: 'end';
}

/**
 * Reads are as many as patches, so they travel as plain numbers, which are cheap to clone, and several in a message:
 * waking a thread costs up to a tenth of a patch. A message is answered by one, or by several where its patches take long.
 */
export type ReadRequest = readonly [id: number, slide: number, col: number, row: number, slot: number];

export type ReaderRequest = OpenRequest | CloseRequest | EndRequest | readonly ReadRequest[];

export interface ReaderReply {
  readonly id: number;
  /** It answers a read. */
  readonly read: boolean;
  readonly outcome?: ReadOutcome;
  readonly error?: WireError;
}

export type ReaderReplies = readonly ReaderReply[];
