import type { StromaflowError } from '../errors.js';
import type { EngineName } from './catalogue.js';

/** Port of the segmentation stage. The implementation owns one or more threads; pixels stay in the arena. */

export interface EngineInfo {
  readonly engine: EngineName;
  /** 'onnxruntime', 'tfjs', … and its version. */
  readonly name: string;
  readonly version: string;
  /** 'cpu', 'webgpu', 'cuda:0', … */
  readonly device: string;
  /** Model bundle: name and version (version + first 8 of the content hash), as stated in every event. */
  readonly model: string;
  readonly modelVersion: string;
  /** A pixel is positive when its score is above it. */
  readonly threshold: number;
  /** Largest number of patches a call may carry. */
  readonly batch: number;
  /** Batches it runs at the same time. */
  readonly lanes: number;
  /** Only where the engine was chosen by 'auto': one line saying why this one and not the others. */
  readonly choice?: string;
  /** Seconds spent loading the model and warming up. */
  readonly loadSeconds: number;
}

/** Masks of one batch, in the order of the slots given. */
export interface BatchMasks {
  /** One mask a patch: patchSize × patchSize / 8 bytes, rows top down, most significant bit left, 1 = positive. */
  readonly bits: readonly Uint8Array[];
  /** Positive pixels a patch, padding included. */
  readonly counts: Int32Array;
  /**
   * Only when they were asked for as the segmenter was created, from engines that can: patchSize² bytes a patch, rows top
   * down, round(255 p) of the probability that the threshold is compared with.
   */
  readonly probabilities?: readonly Uint8Array[];
  /** Only when they were asked for: patchSize² floats a patch, the probability that the threshold is compared with. */
  readonly scores?: readonly Float32Array[];
  /** Seconds the engine itself ran. */
  readonly seconds: number;
  /**
   * Only where there are any: patches, by their place in the batch, that make the engine fail (ENGINE_FAILED) or for which the
   * model computes what is no number (MODEL_NOT_FINITE); their bits are empty.
   */
  readonly failed?: ReadonlyMap<number, FailedPatch>;
}

/** A patch that cannot be segmented, alone or in company. */
export interface FailedPatch {
  readonly error: StromaflowError;
  /** Times it was tried. */
  readonly attempts: number;
}

export interface Segmenter {
  readonly info: EngineInfo;
  /**
   * Segments the patches in these arena slots (patchSize × patchSize × 3 bytes of RGB each).
   * Rejects with ENGINE_FAILED when the engine is gone for good; the slots' pixels are unchanged.
   */
  segment(slots: readonly number[], signal?: AbortSignal): Promise<BatchMasks>;
  close(): Promise<void>;
}
