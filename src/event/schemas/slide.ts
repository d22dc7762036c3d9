import { SLIDE_STATES, type SlideState } from '../subjects.js';
import { area, axes, bounds, error, iou, model, notes, patches, run, slide, tiles } from './parts.js';
import {
  amount,
  count,
  document,
  flag,
  type JsonSchema,
  list,
  object,
  oneOf,
  orNull,
  positive,
  ratio,
  text,
} from './schema.js';

const head = { slide, run, revision: count('Revision of the newest aggregate when this was said.') };

const finished = {
  ...head,
  patches,
  area,
  'tiles?': tiles,
  'iou?': iou,
  'seamScore?': amount(
    'Agreement of neighbouring mask pixels across patch borders ÷ inside patches: 1 is a mask without seams; only of completed slides.',
  ),
  'notes?': notes,
  model,
  seconds: amount('From opening to here, seconds.'),
};

const bodies: Readonly<Record<SlideState, JsonSchema>> = {
  opened: object('A slide was opened and its patches are planned.', {
    ...head,
    resumed: flag('Earlier starts already finished some of its patches.'),
    format: text('File format, for people.'),
    width: count('Slide width, level-0 pixels.', 1),
    height: count('Slide height, level-0 pixels.', 1),
    mpp: positive('Spacing of level 0, µm per pixel.'),
    grid: object('The grid the masks come on: patch (col, row) covers mask pixels from col × side and row × side.', {
      cols: count('Patches across.', 1),
      rows: count('Patches down.', 1),
      side: count('Side of a mask, mask pixels.', 1),
      mpp: positive('Spacing of a mask pixel, µm.'),
      downsample: positive('Level-0 pixels per mask pixel.'),
      'width?': count('Width of the whole mask, mask pixels.', 1),
      'height?': count('Height of the whole mask, mask pixels.', 1),
    }),
    model,
    'members?': list("Models whose probabilities' mean decides; absent: one model.", text('`name@version`.')),
    'tta?': oneOf('Views of each patch whose mean decides; absent: the patch alone.', ['flips', 'd4']),
    'axes?': axes,
    'bounds?': bounds,
    'notes?': notes,
  }),
  progress: object('How far a slide is.', {
    ...head,
    patches,
    fraction: ratio('Done ÷ expected patches.'),
    patchesPerSecond: amount('Patches done a second, lately.'),
    etaSeconds: orNull(amount('Seconds still to go at this rate; null while it is not known.')),
  }),
  completed: object('Every patch of the slide has an outcome; the areas are final.', finished),
  incomplete: object('The slide is not completed; the run may go on later.', {
    ...finished,
    reason: text(
      'Why: stalled, replaced, gone or interrupted before every patch had an outcome; tiles-missing or patches-failed after.',
    ),
  }),
  failed: object('The slide could not be processed.', { slide, 'run?': run, error }),
};

export const slideSchemas = Object.fromEntries(
  SLIDE_STATES.map(state => [state, document(`slide-${state}`, `Slide ${state}`, bodies[state])]),
) as Readonly<Record<SlideState, ReturnType<typeof document>>>;
