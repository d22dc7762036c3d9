import type { createTrainer } from '#src/train/trainer.js';

export const createLogisticTrainer: typeof createTrainer;
