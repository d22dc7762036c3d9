import type { FailedPatch } from '../engine/segmenter.js';
import type { StromaflowError } from '../errors.js';
import type { PatchMask, PatchRecord } from '../read/patch.js';
import type { ReadOutcome } from '../read/reader-pool.js';
import type { DuePatch } from './session.js';

/** What travels through the graph: references and outcomes, never pixels. */

/** Of a patch that has given its slot back. */
export const NO_SLOT = -1;

/** A patch with a credit: `slot` of the arena is its own until it is acknowledged, or until it waits for others (blend.ts). */
export interface CreditedPatch extends DuePatch {
  readonly slot: number;
}

/** A patch after the reader: its pixels are in the slot, or it is empty, or the read failed. */
export interface ReadPatch extends CreditedPatch {
  readonly read: ReadOutcome | ReadFailure;
}

export interface ReadFailure {
  readonly outcome: 'failed';
  readonly error: StromaflowError;
}

/** A patch after the engine: mask bits of the whole patch, or the engine's failure. */
export interface InferredPatch extends ReadPatch {
  readonly inferred?: InferredMask | FailedPatch;
}

export interface InferredMask {
  readonly bits: Uint8Array;
  readonly probabilities?: Uint8Array | undefined;
  readonly scores?: Float32Array | undefined;
  /** Of a blend: neighbours that failed, and are not in it. */
  readonly without?: number;
}

/** A patch with an outcome. */
export interface SettledPatch extends CreditedPatch {
  readonly record: PatchRecord;
  readonly mask?: PatchMask;
  /** Marks of the core's blocks that are tissue, as the filter gave them; absent: all are. */
  readonly tissue?: Uint8Array | undefined;
  /** patchSize² bytes, round(255 p), where the engine was asked for them. */
  readonly probabilities?: Uint8Array;
  readonly failure?: {
    readonly stage: 'read' | 'infer';
    readonly error: StromaflowError;
    /** Times it was tried. */
    readonly attempts: number;
  };
}

export const hasTissue = (patch: ReadPatch): boolean => patch.read.outcome === 'tissue';
