import type { EngineName } from '../engine/catalogue.js';
import type { WireError } from '../errors.js';
import type { Graph } from '../model/graph/graph.js';
import type { InputNormalisation } from '../model/manifest.js';
import type { Trainer, TrainRecipe } from './port.js';

/** What a trainer's thread is started with. */
export interface TrainerData {
  readonly graph: Graph;
  readonly input: InputNormalisation;
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  readonly recipe: TrainRecipe;
  readonly engine: EngineName;
}

/** A call of a trainer's method, by name. */
export type TrainerCall = {
  readonly [Name in keyof Trainer]: {
    readonly id: number;
    readonly name: Name;
    readonly args: Parameters<Trainer[Name]>;
  };
}[keyof Trainer];

/** `id` 0: the trainer is there, or cannot be. */
export interface TrainerReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: WireError;
}
