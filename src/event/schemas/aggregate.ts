import { area, iou, model, patches, slide, tiles } from './parts.js';
import { count, dateTime, document, flag, object, positive } from './schema.js';

export const aggregateSchema = document(
  'aggregate',
  'Aggregate',
  object('Running sums of one slide. A higher revision replaces a lower one of the same run.', {
    slide,
    revision: count('Rises by one with every aggregate of the run, from 1.', 1),
    provisional: flag('False only once the slide is completed.'),
    patches,
    area,
    'tiles?': tiles,
    'iou?': iou,
    model,
    mpp: positive('Spacing of the mask, µm per pixel.'),
    updatedAt: dateTime('When it was summed, RFC 3339.'),
  }),
);
