import { entryOf } from '../engine/catalogue.js';
import { StromaflowError } from '../errors.js';
import { simplify } from '../model/graph/simplify.js';
import { openOrtPrograms } from './ort-programs.js';
import { Parameters } from './parameters.js';
import type { Trainer, TrainerOptions, TrainNetwork, TrainRecipe } from './port.js';
import { ProgramTrainer } from './program-trainer.js';
import { openTfjsPrograms } from './tfjs-programs.js';

export type * from './port.js';

/** Throws MODEL_UNSUPPORTED for a network of several classes, ENGINE_UNAVAILABLE, or the signal's reason. */
export async function createTrainer(
  network: TrainNetwork,
  recipe: TrainRecipe,
  { engine, signal }: TrainerOptions,
): Promise<Trainer> {
  signal?.throwIfAborted();
  const classes = network.graph.output.channels;
  if (classes !== 1)
    throw new StromaflowError('MODEL_UNSUPPORTED', `a network of ${classes} classes cannot be trained`, {
      fix: 'train one class, stroma: "classes": 1 in config.json',
    });
  const graph = simplify(network.graph);
  const { library } = entryOf(engine);
  if (library === 'none')
    throw new StromaflowError('ENGINE_UNAVAILABLE', `${engine} runs no network`, { fix: 'choose --engine cpu' });
  const programs = library === 'tfjs' ? await openTfjsPrograms(engine) : openOrtPrograms(engine, recipe.threads);
  const parameters = await Parameters.read(graph, recipe, network.source);
  return new ProgramTrainer({ graph, input: network.input }, recipe, parameters, programs, signal);
}
