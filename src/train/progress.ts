import type { StepResult } from './port.js';

/** Sums over the steps of an epoch so far. */
export interface StepSums {
  readonly steps: number;
  /** Sum of the steps' losses. */
  readonly loss: number;
  readonly intersection: number;
  readonly predicted: number;
  readonly labelled: number;
  /** Pixels of unlabelled patches that the teacher was sure of, of how many; absent without such patches. */
  readonly confident?: number;
  readonly offered?: number;
}

export const NO_STEPS: StepSums = { steps: 0, loss: 0, intersection: 0, predicted: 0, labelled: 0 };

export const addStep = (
  sums: StepSums,
  step: StepResult,
  pseudo?: { readonly confident: number; readonly offered: number },
): StepSums => ({
  ...(pseudo && {
    confident: (sums.confident ?? 0) + pseudo.confident,
    offered: (sums.offered ?? 0) + pseudo.offered,
  }),
  steps: sums.steps + 1,
  loss: sums.loss + step.loss,
  intersection: sums.intersection + step.intersection,
  predicted: sums.predicted + step.predicted,
  labelled: sums.labelled + step.labelled,
});

/** Intersection over union of all pixels together; 0/0 is 1, as in every score here. */
export function iouOf({ intersection, predicted, labelled }: Omit<StepResult, 'loss'>): number {
  const union = predicted + labelled - intersection;
  return union === 0 ? 1 : intersection / union;
}

export const meanLoss = ({ loss, steps }: StepSums): number => loss / Math.max(1, steps);

/** What an epoch came to: a line of metrics.jsonl. */
export interface EpochLine {
  /** From 1. */
  readonly epoch: number;
  readonly rate: number;
  /** Optimiser steps of the run until its end. */
  readonly step: number;
  /** Over the patches as they were changed, while the weights moved. */
  readonly train: { readonly loss: number; readonly iou: number };
  /** Over the validation patches, unchanged, by the weights at the end of the epoch. */
  readonly validation: { readonly loss: number; readonly iou: number };
  /** Of unlabelled patches: the part of their pixels that the teacher was sure of, and the weight of their loss at the end of the epoch. */
  readonly unlabelled?: { readonly confident: number; readonly weight: number };
  /** No epoch before had a higher validation IoU. */
  readonly best: boolean;
  /** Time spent on it, and patches learned from a second; of resumed epochs, since they were resumed. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

/** Where a run stands, besides its weights: what a checkpoint holds. */
export interface RunProgress {
  /** Of the step to come, from 0. */
  readonly epoch: number;
  /** Patches of that epoch that are done. */
  readonly place: number;
  readonly sums: StepSums;
  /** The epochs that are over. */
  readonly history: readonly EpochLine[];
}

export const BEGINNING: RunProgress = { epoch: 0, place: 0, sums: NO_STEPS, history: [] };

/** The epoch with the highest validation IoU, the first of equals; undefined before the first is over. */
export function bestOf({ history }: Pick<RunProgress, 'history'>): EpochLine | undefined {
  return history.reduce<EpochLine | undefined>(
    (best, line) => (best && best.validation.iou >= line.validation.iou ? best : line),
    undefined,
  );
}

/** Whether there is nothing left to do, and why. */
export function isOver(
  progress: RunProgress,
  { epochs, patience }: { readonly epochs: number; readonly patience?: number },
): 'epochs' | 'patience' | undefined {
  if (progress.epoch >= epochs) return 'epochs';
  const best = bestOf(progress);
  const waited = best ? progress.history.length - best.epoch : 0;
  return patience !== undefined && waited >= patience ? 'patience' : undefined;
}
