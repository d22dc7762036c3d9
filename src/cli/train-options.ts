import type { Config } from '../config/options.js';
import { parseAugmentations } from '../train/augmentation.js';
import { checkRecipe, parseFrozen, type RunRecipe } from '../train/recipe.js';

/** The study's: 10 of 25 epochs. */
const FINAL_PART = 0.4;
/** PyTorch's default of AdamW. */
const ADAMW_DECAY = 0.01;

/**
 * The recipe that the options state.
 * @param parameters names of the network's, for --frozen
 * @throws CONFIG_INVALID, USAGE
 */
export function recipeOf(config: Config, parameters: readonly string[]): RunRecipe {
  const optimizer = config.optimizer as RunRecipe['optimizer'];
  const { epochs, batch, seed, patience } = config;
  const recipe: RunRecipe = {
    loss: config.loss as RunRecipe['loss'],
    optimizer,
    weightDecay: config['weight-decay'] ?? (optimizer === 'adamw' ? ADAMW_DECAY : 0),
    frozen: parseFrozen(config.frozen, parameters),
    normStatistics: config['norm-statistics'] as RunRecipe['normStatistics'],
    seed,
    epochs,
    rate: config['learning-rate'],
    finalRate: config['final-rate'],
    finalEpochs: config['final-epochs'] ?? Math.floor(epochs * FINAL_PART),
    effectiveBatch: config['effective-batch'],
    batch,
    augment: parseAugmentations(config.augment),
    balance: config.balance as RunRecipe['balance'],
    ...(patience !== undefined && { patience }),
    ...(config.unlabelled !== undefined && {
      teacherDecay: config['teacher-decay'],
      pseudo: {
        threshold: config['pseudo-threshold'],
        weight: config['pseudo-weight'],
        ramp: config['pseudo-ramp'] ?? Math.floor(epochs * FINAL_PART),
      },
    }),
  };
  checkRecipe(recipe);
  return recipe;
}
