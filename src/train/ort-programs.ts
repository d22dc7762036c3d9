import type { InferenceSession } from 'onnxruntime-node';
import type { EngineName } from '../engine/catalogue.js';
import { firstLine } from '../engine/first-line.js';
import { loadOnnxruntime } from '../engine/onnxruntime.js';
import { StromaflowError } from '../errors.js';
import { encodeModel } from '../model/onnx/model.js';
import { emitProgram } from '../model/onnx/program.js';
import type { Program } from '../model/program/words.js';
import type { ProgramEngine } from './program-engine.js';

/**
 * Programs as ONNX models in memory, run by onnxruntime. Inputs are read where they are; outputs are written into arrays that are
 * made once a program, so that no gradient is copied. Throws ENGINE_UNAVAILABLE.
 */
export function openOrtPrograms(engine: EngineName, threads: number): ProgramEngine {
  const { ort } = loadOnnxruntime();
  return {
    async load(program: Program) {
      const session = await ort.InferenceSession.create(await bytesOf(program), options(engine, threads)).catch(
        cause => {
          const message = `onnxruntime cannot train on ${engine}: ${firstLine(cause)}`;
          throw new StromaflowError('ENGINE_UNAVAILABLE', message, { cause });
        },
      );
      const shapes = new Map(
        program.words.flatMap((word, id) =>
          word.op === 'input' ? [[word.name, program.terms[id]!.shape] as const] : [],
        ),
      );
      const outputs = new Map(
        [...program.outputs].map(([name, { shape }]) => [
          name,
          { shape, values: new Float32Array(shape.reduce((product, size) => product * size, 1)) },
        ]),
      );
      const values = new Map([...outputs].map(([name, output]) => [name, output.values]));
      const fetches = Object.fromEntries(
        [...outputs].map(([name, output]) => [name, new ort.Tensor('float32', output.values, output.shape)]),
      );
      return {
        async run(inputs) {
          const feeds = Object.fromEntries(
            [...shapes].map(([name, shape]) => [name, new ort.Tensor('float32', inputs.get(name)!, shape)]),
          );
          await session.run(feeds, fetches).catch(cause => {
            throw new StromaflowError('ENGINE_FAILED', `a training step failed on ${engine}: ${firstLine(cause)}`, {
              cause,
              fix: 'try a smaller batch with gradient accumulation, or smaller patches',
            });
          });
          return values;
        },
        close: () => session.release(),
      };
    },
    close: async () => {},
  };
}

async function bytesOf(program: Program): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeModel(emitProgram('training step', program))) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

function options(engine: EngineName, threads: number): InferenceSession.SessionOptions {
  return {
    executionProviders: [engine],
    intraOpNumThreads: threads,
    graphOptimizationLevel: 'all',
    ...(process.env['ORTPROF'] && { enableProfiling: true, profileFilePrefix: process.env['ORTPROF'] }),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 3,
  };
}
