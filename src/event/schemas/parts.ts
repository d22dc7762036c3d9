import { amount, count, type JsonSchema, list, object, orNull, positive, ratio, text, token } from './schema.js';

/** What several payloads share. */
export const slide = token('Id of the slide: its file name made safe for subjects and folder names.');
export const run = token(
  'Short hash of the slide’s fingerprint, the model version and the plan; another one after a re-scan.',
);
export const model = text('Model bundle, name@version.');

export const patches = object('Patches of the run by outcome.', {
  expected: count('All patches of the grid.'),
  segmented: count('With a mask.'),
  empty: count('Without tissue, by the tissue filter; not segmented.'),
  missing: count('Not stored, or only a part of it and that without tissue; or not there when the slide was closed.'),
  failed: count('Could not be read, segmented or published.'),
});

export const tiles = object(
  'Tiles of the level that is read, by what the slide lists; absent where only the pixels tell, as of slides that OpenSlide reads.',
  {
    expected: count('What the directory or manifest announces.'),
    seen: count('On disk, whole.'),
    missing: count('Not there although the slide is complete, nor in finer levels.'),
    'drawn?': count('Not there, and drawn from finer levels; absent: none.'),
    late: count('Of those seen: came after the slide had been declared incomplete.'),
    overwritten: count('Written again with the same pixels; other pixels start the slide anew.'),
  },
);

export const area = object('Areas of the patches done so far.', {
  stromaMm2: amount('Tumour-associated stroma, mm².'),
  tissueMm2: amount('Tissue, mm².'),
  stromaFraction: amount('stromaMm2 ÷ tissueMm2; 0 where there is no tissue.'),
  'outsideMm2?': amount(
    'Taken for stroma outside the filter’s tissue, mm²: in no mask and no other area; absent: none.',
  ),
  'missingMm2?': amount('Part of the slide that it does not store, mm²; absent: none.'),
});

export const iou = object('Agreement with the labels of the slide, over pixels; only where there are labels.', {
  value: orNull(ratio('intersection ÷ union; null while the union is empty.')),
  intersection: count('Pixels set in mask and label.'),
  union: count('Pixels set in mask or label.'),
  labelledPatches: count('Patches the counts come from.'),
});

export const error = object('Why.', {
  code: text('Stable code, such as TILE_CORRUPT.'),
  message: text('For people.'),
  fix: text('What to do next.'),
});

export const axes = object('Spacing of level 0 along each axis, where they differ; mpp is their geometric mean.', {
  x: positive('Across, µm per pixel.'),
  y: positive('Down, µm per pixel.'),
});

export const bounds = object(
  'The scanned part of the frame, where the format states one; QuPath’s origin is its corner.',
  {
    x: count('Left edge, level-0 pixels.'),
    y: count('Top edge, level-0 pixels.'),
    width: count('Level-0 pixels.', 1),
    height: count('Level-0 pixels.', 1),
  },
);

export const notes = list(
  'What a person must know to read the result right; absent: nothing.',
  object('What was left out, or had to be assumed.', {
    code: text('Stable code, such as image-left-out.'),
    message: text('For people.'),
  }),
);

/** A rectangle on the slide. */
export const place: Readonly<Record<string, JsonSchema>> = {
  level: count('Level the pixels were read from; 0 is the finest.'),
  col: count('Column in the grid of patches, from 0.'),
  row: count('Row in the grid of patches, from 0.'),
  x: count('Left edge, level-0 pixels.'),
  y: count('Top edge, level-0 pixels.'),
  width: count('Width inside the slide, level-0 pixels.', 1),
  height: count('Height inside the slide, level-0 pixels.', 1),
};
