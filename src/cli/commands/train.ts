import { type Command, GENERAL, LABELS, STATUS, TISSUE, TRAINING } from '../command.js';
import { trainSet } from '../train-run.js';

/** Makes a model from a labelled set, or goes on with a run that was interrupted. */
export const trainCommand: Command = {
  usage: 'train <set>',
  summary: 'train a network on a labelled set, with the split that replay scores by',
  notes: `The set is what replay takes. Without more options the study's recipe: FPN with a ResNet34 encoder, dice loss, Adam, 25 epochs,
the last 10 at a tenth of the learning rate, 16 patches a step, right-angle rotations and flips. <runs>/<name>/best is the bundle of the
epoch with the highest validation IoU. The same command again goes on where it was stopped, by Ctrl-C or a crash.`,
  options: [
    ...TRAINING,
    'split',
    'seed',
    ...LABELS,
    'strict',
    'mpp',
    'spacing',
    'patch-size',
    ...TISSUE,
    ...STATUS,
    ...GENERAL,
  ],
  run: async context => (await trainSet(context)).status,
};
