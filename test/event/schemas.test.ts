import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventSchemas } from '#src/event/schemas/index.js';
import type { JsonSchema } from '#src/event/schemas/schema.js';
import { firstProblem } from '#src/event/schemas/validate.js';
import { SLIDE_STATES } from '#src/event/subjects.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from './samples.js';

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
// The format's own grammar is tested below; ajv-formats is not a dependency.
ajv.addFormat('date-time', true);
const events = createSampleEvents();

/** The same schema with every object closed: what we publish must say nothing that is not described. */
function closed(schema: JsonSchema): object {
  const { $id, ...rest } = schema;
  if (!rest.properties) return rest;
  const properties = Object.entries(rest.properties).map(([name, property]) => [name, closed(property)]);
  return { ...rest, properties: Object.fromEntries(properties), additionalProperties: false };
}

const headerNumbers = (extensions: Readonly<Record<string, string>>): unknown =>
  Object.fromEntries(
    Object.entries(extensions).map(([name, value]) => [
      name,
      eventSchemas.maskHeaders.properties?.[name]?.type === 'string' ? value : Number(value),
    ]),
  );

const json = (event: { data: Uint8Array }): unknown => JSON.parse(new TextDecoder().decode(event.data));
const labelled = maskInput();

const cases: [name: string, schema: JsonSchema, value: unknown][] = [
  ['aggregate', eventSchemas.aggregate, json(events.aggregate(aggregate, 'r'))],
  ['dead letter', eventSchemas.deadLetter, json(events.dlq(deadLetter))],
  ['mask headers', eventSchemas.maskHeaders, headerNumbers(events.mask(maskInput()).extensions)],
  [
    'mask headers with labels',
    eventSchemas.maskHeaders,
    headerNumbers(events.mask({ ...labelled, record: { ...labelled.record, intersection: 1, union: 2 } }).extensions),
  ],
  ...SLIDE_STATES.map((state): [string, JsonSchema, unknown] => [
    `slide ${state}`,
    eventSchemas.slide[state],
    json(events.slide(state, slidePayloads[state])),
  ]),
];

describe.each(cases)('%s', (_name, schema, value) => {
  const { $id: _id, ...anonymous } = schema;
  const open: ValidateFunction = ajv.compile(anonymous as object);

  it('is described completely, and every field has a description', () => {
    const strict = ajv.compile(closed(schema));
    expect(strict(value), JSON.stringify(strict.errors)).toBe(true);
    expect(firstProblem(schema, value)).toBeUndefined();
    const walk = (part: JsonSchema): void => {
      expect(part.description).toBeTruthy();
      for (const property of Object.values(part.properties ?? {})) walk(property);
    };
    walk(schema);
  });

  it('allows fields that a later version adds', () => {
    expect(open({ ...(value as object), later: 1 })).toBe(true);
  });

  it('is judged by our validator as by ajv when anything in it changes', () => {
    const junk = fc.oneof(
      fc.constantFrom(null, true, -1, 0, 1.5, 2 ** 60, '', 'x y', 'A-1', [], {}),
      fc.constant(undefined),
    );
    const paths = [...leaves(value)];
    fc.assert(
      fc.property(fc.constantFrom(...paths), junk, (path, replacement) => {
        const changed = replaceAt(value, path, replacement);
        expect(firstProblem(schema, changed) === undefined, JSON.stringify(changed)).toBe(open(changed));
      }),
      { numRuns: 500 },
    );
  });
});

it('names each schema once', () => {
  const ids = [
    ...Object.values(eventSchemas.slide),
    eventSchemas.aggregate,
    eventSchemas.deadLetter,
    eventSchemas.maskHeaders,
  ];
  expect(new Set(ids.map(({ $id }) => $id)).size).toBe(ids.length);
});

it.each([
  ['2026-03-01T09:30:00Z', true],
  ['2026-03-01T09:30:00.123+01:00', true],
  ['2026-03-01T09:30:60Z', true],
  ['2026-03-01 09:30:00Z', false],
  ['2026-13-01T09:30:00Z', false],
  ['2026-03-01T09:30:00', false],
  ['yesterday', false],
])('takes %s for a time: %s', (updatedAt, valid) => {
  expect(firstProblem(eventSchemas.aggregate, { ...aggregate, updatedAt }) === undefined).toBe(valid);
});

it('says where a payload is wrong', () => {
  const wrong = { ...aggregate, patches: { ...aggregate.patches, empty: -1 } };
  expect(firstProblem(eventSchemas.aggregate, wrong)).toBe('patches.empty: -1 is out of range');
  expect(firstProblem(eventSchemas.aggregate, { slide: 'S' })).toBe('revision: is missing');
});

function* leaves(value: unknown, path: string[] = []): Generator<string[]> {
  if (path.length > 0) yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, child] of Object.entries(value)) yield* leaves(child, [...path, name]);
}

/** A copy with the value at the path replaced, or removed for undefined. Times are left alone: ajv is not told of them. */
function replaceAt(value: unknown, [name, ...rest]: string[], replacement: unknown): unknown {
  if (name === undefined || name === 'updatedAt') return name === undefined ? replacement : value;
  const record = value as Record<string, unknown>;
  const child = replaceAt(record[name], rest, replacement);
  const { [name]: _removed, ...others } = record;
  return child === undefined ? others : { ...others, [name]: child };
}
