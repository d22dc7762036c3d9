import { Gauge, type Registry } from 'prom-client';

export interface TrainingMetrics {
  /** After each optimiser step: means of the epoch so far, and patches learned from since the program began. */
  stepped(now: {
    readonly epoch: number;
    readonly rate: number;
    readonly loss: number;
    readonly iou: number;
    readonly images: number;
  }): void;
  /** After each epoch, and of the last one where a run is gone on with; `best` of all of them. */
  epoch(
    line: { readonly validation: { readonly loss: number; readonly iou: number }; readonly imagesPerSecond: number },
    best: number,
  ): void;
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
  const best = gauge('best_iou_ratio', 'Highest validation IoU of an epoch of the run.');
  const rate = gauge('learning_rate', 'Learning rate of the epoch that is being learned.');
  const pace = gauge(
    'images_per_second',
    'Patches learned from a second, over the last epoch that is over, validation included.',
  );
  // A gauge without labels begins at 0, which would be an IoU.
  for (const later of [best, rate, pace]) later.remove();
  return {
    stepped: now => {
      epoch.set(now.epoch);
      rate.set(now.rate);
      images.set(now.images);
      loss.set({ split: 'train' }, now.loss);
      iou.set({ split: 'train' }, now.iou);
    },
    epoch: (line, highest) => {
      loss.set({ split: 'validation' }, line.validation.loss);
      iou.set({ split: 'validation' }, line.validation.iou);
      best.set(highest);
      pace.set(line.imagesPerSecond);
    },
  };
}
