import type { EngineName } from '../engine/catalogue.js';
import type { Graph } from '../model/graph/graph.js';
import type { InputNormalisation } from '../model/manifest.js';
import type { TensorToWrite } from '../model/safetensors-write.js';
import type { WeightSource } from '../model/weights.js';

/** A named float32 tensor, as the safetensors writer takes it. */
export type Tensor = TensorToWrite;

/** One batch on its way to a trainer. S = side in pixels, a multiple of 32; N patches. */
export interface TrainBatch {
  readonly size: number;
  /** N·S·S·3, RGB, 0…255, patch after patch. */
  readonly images: Uint8Array;
  /** N·S·S: 0 the rest, 1 stroma, 255 ignored: no part in the loss or in the counts. */
  readonly labels: Uint8Array;
}

/** Loss (the mean over the batches of a step) and counts of pixels: p ≥ 0.5 and stroma, p ≥ 0.5, stroma. */
export interface StepResult {
  readonly loss: number;
  readonly intersection: number;
  readonly predicted: number;
  readonly labelled: number;
}

/**
 * Everything a training run needs to go on: parameters and running statistics by smp's names, and Adam's moments as
 * `adam.m.<name>` and `adam.v.<name>`.
 */
export interface TrainState {
  /** Optimiser steps taken. */
  readonly step: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** A network on a device, being trained. One call at a time. */
export interface Trainer {
  /** Gradients of the mean loss over the batches, then one optimiser step of this learning rate. */
  step(batches: readonly TrainBatch[], rate: number): Promise<StepResult>;
  /** Inference mode; `probabilities`: float32 [N·S·S]. */
  evaluate(batch: TrainBatch): Promise<StepResult & { readonly probabilities?: Float32Array }>;
  /** A copy: later steps do not change it. */
  save(): Promise<TrainState>;
  /** Takes up a saved state; without moments of Adam (a bundle's weights) they begin at 0. */
  restore(state: TrainState): Promise<void>;
  close(): Promise<void>;
}

export interface TrainRecipe {
  readonly loss: 'dice' | 'bce-dice' | 'focal';
  readonly optimizer: 'adam' | 'adamw';
  readonly weightDecay: number;
  /** Prefixes of the names of parameters that are not trained; their norms keep their stored statistics and normalise by them. */
  readonly frozen: readonly string[];
  /** Batch normalisation by each batch's statistics, as usual in training, or by the stored ones, which then stay as they are. */
  readonly normStatistics: 'batch' | 'frozen';
  readonly threads: number;
  readonly seed: number;
}

/** What is trained: `graphOf` a bundle (with frozen group norms where it has statistics) or `buildNetwork` of an architecture. */
export interface TrainNetwork {
  readonly graph: Graph;
  /** Gives every tensor of graph.parameters; read once. */
  readonly source: WeightSource;
  readonly input: InputNormalisation;
}

export interface TrainerOptions {
  readonly engine: EngineName;
  readonly signal?: AbortSignal;
}
