import type { ArenaShape } from '../arena.js';
import type { WireError } from '../errors.js';
import type { BackendOptions, LayerOutput } from './backend.js';

/** Messages between the segmenter on the main thread and its engine's thread. */

export interface EngineWorkerData {
  /** Where patches are; null when only single images are evaluated. */
  readonly arena: { readonly shape: ArenaShape; readonly shared: SharedArrayBuffer } | null;
  readonly backend: BackendOptions;
}

/** One image of height × width × 3 bytes RGB, for the numbers behind its mask. */
export interface EvaluateRequest {
  readonly type: 'evaluate';
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly height: number;
  readonly width: number;
}

export type EngineRequest =
  | { readonly type: 'segment'; readonly id: number; readonly slots: readonly number[] }
  | EvaluateRequest
  | { readonly type: 'close' };

export type EngineReply =
  | {
      readonly type: 'ready';
      readonly name: string;
      readonly version: string;
      readonly device: string;
      readonly loadSeconds: number;
    }
  | { readonly type: 'unusable'; readonly error: WireError }
  | {
      readonly type: 'masks';
      readonly id: number;
      readonly bits: readonly Uint8Array<ArrayBuffer>[];
      readonly counts: Int32Array;
      /** See BackendMasks. */
      readonly notFinite: readonly number[];
      readonly probabilities?: readonly Uint8Array<ArrayBuffer>[];
      readonly scores?: readonly Float32Array<ArrayBuffer>[];
      readonly seconds: number;
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError }
  | { readonly type: 'layers'; readonly layers: readonly LayerOutput[]; readonly seconds: number };
