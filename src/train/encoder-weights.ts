import { StromaflowError } from '../errors.js';
import type { Graph } from '../model/graph/graph.js';
import { SafetensorsFile } from '../model/safetensors.js';
import { parameterProblems, type WeightSource } from '../model/weights.js';

/** What stands before an encoder's own names: nothing (torchvision, timm), smp's, and what wrappers add. */
const PREFIXES = ['encoder.', '', 'model.encoder.', 'model.', 'module.encoder.', 'module.', 'backbone.'] as const;

/** Of a classifier that the encoder was trained in, and counters: nothing that an encoder is built from. */
const BESIDE = /^(fc|classifier|head|avgpool)\.|num_batches_tracked$/;

const ENCODER = 'encoder.';

/**
 * Weights of which the encoder's are from a file, the rest from elsewhere.
 * @param path safetensors of smp, torchvision or timm: a whole network or an encoder alone
 * @param encoder its name, for messages
 * @throws MODEL_TENSOR when it is another encoder; what SafetensorsFile.open throws
 */
export async function withEncoder(
  path: string,
  { parameters }: Pick<Graph, 'parameters'>,
  encoder: string,
  rest: WeightSource,
): Promise<WeightSource & { close(): Promise<void> }> {
  const file = await SafetensorsFile.open(path).catch((error: unknown) => {
    if (!(error instanceof StromaflowError) || error.code !== 'MODEL_NOT_FOUND') throw error;
    throw new StromaflowError('MODEL_NOT_FOUND', error.message, {
      cause: error.cause,
      fix: 'give --encoder-weights a .safetensors file',
    });
  });
  try {
    const wanted = [...parameters].filter(([name]) => name.startsWith(ENCODER));
    const matches = (prefix: string): number => wanted.filter(([name]) => file.tensors.has(named(prefix, name))).length;
    const prefix = PREFIXES.reduce((best, next) => (matches(next) > matches(best) ? next : best));
    const own = new Map(wanted.map(([name, shape]) => [named(prefix, name), shape]));
    const [problem] = parameterProblems({ parameters: own }, file);
    const extra = [...file.tensors.keys()].find(name => isEncoders(name, prefix) && !own.has(name));
    if (problem || extra !== undefined) {
      const what = problem
        ? problem.message.replace(`${path}: `, '').replace('config.json', encoder)
        : `${extra} is none of its tensors`;
      throw new StromaflowError('MODEL_TENSOR', `${path} is no encoder ${encoder}: ${what}`, {
        fix: `give weights of ${encoder}, or the --architecture they are of`,
      });
    }
    return {
      read: name => (name.startsWith(ENCODER) ? file.read(named(prefix, name)) : rest.read(name)),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const named = (prefix: string, name: string): string => `${prefix}${name.slice(ENCODER.length)}`;

function isEncoders(name: string, prefix: string): boolean {
  if (!name.startsWith(prefix)) return false;
  const own = name.slice(prefix.length);
  return !BESIDE.test(own) && !/^(decoder|segmentation_head|classification_head)\./.test(own);
}
