import type { CommandContext } from '#src/cli/command.js';
import { type RunResult, trainSet } from '#src/cli/train-run.js';
import { loadConfig } from '#src/config/load.js';
import { capture, type Written } from '../cli/capture.js';
import { createLogisticTrainer } from './logistic-trainer.mjs';

const FLAGS = {
  ...{ positive: '1', ignore: '3', mpp: 0.5, engine: 'cpu', readers: 2 },
  ...{ 'effective-batch': 8, epochs: 3, 'final-epochs': 1 },
};

export type OpenTrainer = typeof createLogisticTrainer;

/** Trains as the command does, by logistic regression unless told otherwise. */
export async function runTraining(
  set: string,
  flags: Readonly<Record<string, unknown>>,
  signal = new AbortController().signal,
  open: OpenTrainer = createLogisticTrainer,
): Promise<Written & { readonly result: RunResult }> {
  const loaded = await loadConfig({ ...FLAGS, ...flags }, {});
  const written = capture();
  const { terminal } = written;
  const context: CommandContext = { args: [set], config: loaded.config, loaded, signal, terminal };
  try {
    return { ...written, result: await trainSet(context, open) };
  } finally {
    written.restore();
  }
}
