import { Gauge, type Registry } from 'prom-client';

export interface TrainingMetrics {
  /** After each optimiser step: means of the epoch so far, and patches learned from since the program began. */
  stepped(now: { readonly epoch: number; readonly loss: number; readonly iou: number; readonly images: number }): void;
  /** After each epoch. */
  epoch(line: {
    readonly rate: number;
    readonly validation: { readonly loss: number; readonly iou: number };
    readonly best: boolean;
    readonly imagesPerSecond: number;
  }): void;
}

/** How a training run gets on. */
export function createTrainingMetrics(registry: Registry): TrainingMetrics {
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge({ name: `stromaflow_training_${name}`, help, labelNames, registers: [registry] });
  const epoch = gauge('epoch', 'Epoch that is being learned, from 1.');
  const images = gauge('images', 'Patches learned from since the program began.');
  const loss = gauge(
    'loss',
    'Mean loss: of the epoch so far (train), of the last one that is over (validation).',
    'split',
  );
  const iou = gauge(
    'iou_ratio',
    'IoU: of the epoch so far (train), of the last one that is over (validation).',
    'split',
  );
  const best = gauge('best_iou_ratio', 'Highest validation IoU of an epoch since the program began.');
  const rate = gauge('learning_rate', 'Learning rate of the last epoch that is over.');
  const pace = gauge(
    'images_per_second',
    'Patches learned from a second, over the last epoch that is over, validation included.',
  );
  return {
    stepped: now => {
      epoch.set(now.epoch);
      images.set(now.images);
      loss.set({ split: 'train' }, now.loss);
      iou.set({ split: 'train' }, now.iou);
    },
    epoch: line => {
      loss.set({ split: 'validation' }, line.validation.loss);
      iou.set({ split: 'validation' }, line.validation.iou);
      if (line.best) best.set(line.validation.iou);
      rate.set(line.rate);
      pace.set(line.imagesPerSecond);
    },
  };
}
