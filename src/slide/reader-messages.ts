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

export interface CloseRequest {
  readonly op: 'close';
  readonly id: number;
  readonly slide: number;
}

/** Reads are as many as patches, so they and their answers travel as plain numbers: five times cheaper to clone. */
export type ReadRequest = readonly [id: number, slide: number, col: number, row: number, slot: number];
export type ReadReply = readonly [id: number, kept: number, validPixels: number, tissuePixels: number, seconds: number];

export type ReaderRequest = OpenRequest | CloseRequest | ReadRequest;
/** Of a request that is no read, or that failed. */
export interface PlainReply {
  readonly id: number;
  readonly error?: WireError;
}
export type ReaderReply = ReadReply | PlainReply;

export function toReply(id: number, { outcome, validPixels, tissuePixels, seconds }: ReadOutcome): ReadReply {
  return [id, outcome === 'tissue' ? 1 : 0, validPixels, tissuePixels, seconds];
}

export function fromReply([, kept, validPixels, tissuePixels, seconds]: ReadReply): ReadOutcome {
  return { outcome: kept ? 'tissue' : 'empty', validPixels, tissuePixels, seconds };
}

export const isRead = <Read extends ReadRequest | ReadReply>(message: Read | object): message is Read =>
  Array.isArray(message);
