import type { EngineName } from '../engine/catalogue.js';
import { openTfjs } from '../engine/tfjs-device.js';
import { runProgram } from '../model/tfjs/program.js';
import type { ProgramEngine } from './program-engine.js';

/** Programs run word by word by TensorFlow.js. Throws ENGINE_UNAVAILABLE. */
export async function openTfjsPrograms(engine: EngineName): Promise<ProgramEngine> {
  const { tf } = await openTfjs(engine);
  return {
    load: async program => ({ run: inputs => runProgram(tf, program, inputs), close: async () => {} }),
    close: async () => {},
  };
}
