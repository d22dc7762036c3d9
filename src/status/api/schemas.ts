/** Schemas of the API: what is not named here does not leave it. */

const text = { type: 'string' };
const number = { type: 'number' };
const count = { type: 'integer', minimum: 0 };
const nullable = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] });

type Properties = Record<string, object>;
const object = (properties: Properties, more: Properties = {}) => ({
  type: 'object',
  properties: { ...properties, ...more },
  required: Object.keys(properties),
});

export const problem = object({ error: text });

const status = {
  slide: text,
  state: { type: 'string', enum: ['open', 'completed', 'incomplete', 'failed'] },
  run: nullable(text),
  revision: count,
  format: nullable(text),
  model: nullable(text),
  patches: object({ expected: count, segmented: count, empty: count, missing: count, failed: count }),
  tiles: {
    ...object({ expected: count, seen: count, missing: count, late: count, overwritten: count }, { drawn: count }),
    type: ['object', 'null'],
  },
  area: object(
    { stromaMm2: number, tissueMm2: number, stromaFraction: number },
    { missingMm2: number, outsideMm2: number },
  ),
  iou: {
    ...object({ value: nullable(number), intersection: count, union: count, labelledPatches: count }),
    type: ['object', 'null'],
  },
  patchesPerSecond: number,
  etaSeconds: nullable(number),
  updatedAt: nullable(text),
  notes: { type: 'array', items: object({ code: text, message: text }) },
  error: { ...object({ code: text, fix: text }), type: ['object', 'null'] },
};

export const slides = object({ total: count, offset: count, slides: { type: 'array', items: object(status) } });

const grid = object({ cols: count, rows: count, side: count, mpp: number, downsample: number });

export const slide = object({
  ...status,
  /** Null where the slide could not be opened. */
  shape: { ...object({ width: count, height: count, mpp: number, grid }), type: ['object', 'null'] },
  /** Null where the slide itself is not at hand. */
  picture: { ...object({ tile: count, levels: count }), type: ['object', 'null'] },
  mask: { ...object({ tile: count, levels: count, coarse: count }), type: ['object', 'null'] },
  /** Null where probabilities are not kept. */
  probability: { ...object({ threshold: number }), type: ['object', 'null'] },
  /** A byte a patch, row by row, in base64; null where the grid is too large. */
  codes: nullable(text),
  /** Last-Event-ID with which events follow on this answer. */
  position: text,
});

export const patches = object({
  total: count,
  offset: count,
  patches: {
    type: 'array',
    items: object({
      ...{ col: count, row: count, state: text },
      ...{ validPixels: count, tissuePixels: count, stromaPixels: count },
    }),
  },
});

const name = { type: 'string', pattern: '^[A-Za-z0-9_-]{1,200}$' };
const index = { type: 'integer', minimum: 0, maximum: 10_000_000 };
export const slideParams = object({ slide: name });
export const tileParams = object({
  ...{ slide: name, level: { type: 'integer', minimum: 0, maximum: 40 } },
  ...{ col: index, row: index },
});
export const storeParams = object({ slide: name, '*': text });

const page = { offset: { ...index, default: 0 } };
export const slidesQuery = {
  type: 'object',
  properties: {
    ...page,
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    find: { ...text, maxLength: 200 },
  },
};
/** Stands for Last-Event-ID where that cannot be sent. */
export const eventsQuery = { type: 'object', properties: { after: { ...text, maxLength: 64 } } };
export const patchesQuery = {
  type: 'object',
  properties: {
    ...page,
    limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 },
    state: { type: 'string', enum: ['pending', 'segmented', 'empty', 'missing', 'failed'] },
  },
};
