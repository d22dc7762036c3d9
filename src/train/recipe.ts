import { StromaflowError } from '../errors.js';
import type { AugmentationName } from './kinds.js';
import type { TrainRecipe } from './port.js';

/** How a run learns. With the patches it learns from and the weights it begins with, it decides the result. */
export interface RunRecipe extends Omit<TrainRecipe, 'threads'> {
  readonly epochs: number;
  readonly rate: number;
  /** Learning rate of the last `finalEpochs`. */
  readonly finalRate: number;
  readonly finalEpochs: number;
  /** Patches an optimiser step. */
  readonly effectiveBatch: number;
  /** Patches that go through the network together; batch norms take their statistics from these. */
  readonly batch: number;
  readonly augment: readonly AugmentationName[];
  readonly balance: 'none' | 'stroma';
  /** Epochs without a better validation IoU after which a run ends; absent: it goes on to the last. */
  readonly patience?: number;
  /** How unlabelled patches take part. */
  readonly pseudo?: PseudoRecipe;
}

export interface PseudoRecipe {
  /** A pixel takes part where the teacher's probability of stroma is this or more, or 1 − this or less; in (0.5, 1]. */
  readonly threshold: number;
  /** Of their loss beside that of labelled patches, after the ramp. */
  readonly weight: number;
  /** Epochs over which the weight grows. */
  readonly ramp: number;
}

/** @param epoch from 0 */
export function rateOf({ epochs, rate, finalRate, finalEpochs }: RunRecipe, epoch: number): number {
  return epoch < epochs - finalEpochs ? rate : finalRate;
}

/** @throws CONFIG_INVALID */
export function checkRecipe({ effectiveBatch, batch, epochs, finalEpochs }: RunRecipe): void {
  if (finalEpochs > epochs) {
    throw new StromaflowError('CONFIG_INVALID', `--final-epochs ${finalEpochs} are more than --epochs ${epochs}`);
  }
  if (effectiveBatch % batch === 0) return;
  throw new StromaflowError(
    'CONFIG_INVALID',
    `--effective-batch ${effectiveBatch} is no multiple of --batch ${batch}`,
    {
      fix: 'choose a --batch that divides it: the patches of a step go through the network in equal parts',
    },
  );
}

/**
 * Modules that do not learn, from a list with commas between.
 * @throws USAGE where a name is none of the network's
 */
export function parseFrozen(text: string | undefined, parameters: Iterable<string>): string[] {
  const names = (text ?? '').split(',').flatMap(name => name.trim() || []);
  const known = [...parameters];
  const wrong = names.find(name => !known.some(parameter => parameter === name || parameter.startsWith(`${name}.`)));
  if (wrong === undefined) return names.map(name => (known.includes(name) ? name : `${name}.`));
  const modules = [...new Set(known.map(name => name.split('.').slice(0, 2).join('.')))];
  throw new StromaflowError('USAGE', `--frozen: the network has no module ${wrong}`, {
    fix: `it has ${modules.join(', ')}`,
  });
}
