import type { ProgramBuilder } from '../program/builder.js';
import type { Term } from '../program/words.js';

/** What a layer's forward pass leaves behind: its output, and how to go back from that output's gradient. */
export interface Taped {
  readonly output: Term;
  /**
   * Gradients of the inputs, in their order, of those that are `wanted`; those of parameters go to the context. Written
   * to the program when called, so that what it reads is not needed afterwards.
   */
  backward(gradient: Term, wanted: readonly boolean[]): readonly (Term | undefined)[];
}

/** How a program is written around the layers. */
export interface Context {
  readonly p: ProgramBuilder;
  /** A kernel as it is; a vector [C] as [1, C, 1, 1]. */
  parameter(name: string): Term;
  isTrained(name: string): boolean;
  /** Adds to the gradient of a parameter, of the parameter's shape. */
  addGradient(name: string, gradient: Term): void;
  /** Whether the norm takes its statistics from the batch; otherwise it reads the stored ones. */
  usesBatch(norm: string): boolean;
  /** Mean and unbiased variance [1, C, 1, 1] of this batch, for the running statistics of a norm. */
  keepStatistics(norm: string, mean: Term, variance: Term): void;
}
