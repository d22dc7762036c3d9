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
 * `adam.m.<name>` and `adam.v.<name>`; the teacher's numbers, where there is one, as `teacher.<name>`.
 */
export interface TrainState {
  /** Optimiser steps taken. */
  readonly step: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Batches whose labels a teacher gave. Their mean loss, times `weight`, is added to that of the labelled ones. */
export interface PseudoLabelled {
  readonly batches: readonly TrainBatch[];
  readonly weight: number;
}

/** A network on a device, being trained. One call at a time. */
export interface Trainer {
  /**
   * Gradients of the mean loss over the batches, then one optimiser step of this learning rate.
   * @returns of `batches`; `pseudo` takes part in the gradient alone
   */
  step(batches: readonly TrainBatch[], rate: number, pseudo?: PseudoLabelled): Promise<StepResult>;
  /** What the teacher makes of patches, in inference mode: float32 [N·S·S], probabilities. Only with TrainRecipe.teacherDecay. */
  teach(batch: TrainBatch): Promise<Float32Array>;
  /** Inference mode; `probabilities`: float32 [N·S·S]. */
  evaluate(batch: TrainBatch): Promise<StepResult & { readonly probabilities?: Float32Array }>;
  /** A copy: later steps do not change it. */
  save(): Promise<TrainState>;
  /** Takes up a saved state; without moments of Adam and a teacher (a bundle's weights) they begin at 0, and as the weights are. */
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
  /**
   * Chance, in [0, 1), that a channel of the decoder's output is left out for a patch, by `seed`; smp's FPN has 0.2 (`decoder_dropout`), its U-Net
   * none. 0 unless given.
   */
  readonly dropout?: number;
  /** There is a teacher, whose weights are the mean of the network's: the part of it that a step keeps, in [0, 1). */
  readonly teacherDecay?: number;
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
