import type { Program } from '../model/program/words.js';

/** Runs programs on a device. */
export interface ProgramEngine {
  load(program: Program): Promise<LoadedProgram>;
  close(): Promise<void>;
}

export interface LoadedProgram {
  /**
   * Values of the inputs by name, in C order of their shapes (images [N, C, H, W]). The outputs, by name and in the same order,
   * may be written over by the next run.
   */
  run(inputs: ReadonlyMap<string, Float32Array>): Promise<ReadonlyMap<string, Float32Array>>;
  close(): Promise<void>;
}
