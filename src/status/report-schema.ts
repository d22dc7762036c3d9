/** Response schemas of the status server: what is not named here does not leave it. */

const text = { type: 'string' };
const number = { type: 'number' };
const textOrNull = { type: ['string', 'null'] };
const numberOrNull = { type: ['number', 'null'] };

type Properties = Record<string, object>;
const object = (properties: Properties) => ({ type: 'object', properties, required: Object.keys(properties) });
/** Those that need not be there. */
const optional = (properties: Properties, more: Properties) => ({
  ...object(properties),
  properties: { ...properties, ...more },
});
const objectOrNull = (properties: Properties) => ({ ...object(properties), type: ['object', 'null'] });
const list = (items: object) => ({ type: 'array', items });

const error = { code: text, message: text, fix: text };

const slide = object({
  slide: text,
  state: text,
  revision: number,
  patches: object({ expected: number, segmented: number, empty: number, missing: number, failed: number }),
  tiles: {
    ...optional(
      { expected: number, seen: number, missing: number, late: number, overwritten: number },
      { drawn: number },
    ),
    type: ['object', 'null'],
  },
  area: optional(
    { stromaMm2: number, tissueMm2: number, stromaFraction: number },
    { missingMm2: number, outsideMm2: number },
  ),
  iou: objectOrNull({ value: numberOrNull, intersection: number, union: number, labelledPatches: number }),
  patchesPerSecond: number,
  etaSeconds: numberOrNull,
  startedAt: text,
  updatedAt: text,
  endedAt: textOrNull,
  error: objectOrNull(error),
});

const stage = object({
  stage: text,
  inProgress: number,
  done: number,
  failed: number,
  perSecond: number,
  lastSuccessAt: textOrNull,
});

const scores = object({ loss: number, iou: number });

const training = objectOrNull({
  run: text,
  state: text,
  epoch: number,
  epochs: number,
  done: number,
  patches: number,
  loss: numberOrNull,
  iou: numberOrNull,
  imagesPerSecond: numberOrNull,
  etaSeconds: numberOrNull,
  history: list(object({ epoch: number, rate: number, train: scores, validation: scores, best: { type: 'boolean' } })),
});

export const statusSchema = object({
  version: text,
  startedAt: text,
  uptimeSeconds: number,
  state: text,
  folder: objectOrNull({ path: text, away: textOrNull }),
  engine: objectOrNull({ name: text, version: text, device: text, model: text, modelVersion: text, batch: number }),
  bus: object({ description: text, connected: { type: 'boolean' } }),
  rates: object({ patchesPerSecond: number, patchesDone: number, masksPublished: number }),
  credits: object({ free: number, total: number }),
  stages: list(stage),
  slides: list(slide),
  training,
  lastError: objectOrNull({ ...error, at: text }),
});

const component = {
  type: 'object',
  properties: { ready: { type: 'boolean' }, reason: text },
  required: ['ready'],
};

export const readinessSchema = object({
  ready: { type: 'boolean' },
  components: { type: 'object', additionalProperties: component },
});

export const aliveSchema = object({ status: text });
export const gridSchema = object({ cols: number, rows: number, cells: text });
export const problemSchema = object({ error: text });
