import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IMAGENET, parseManifest } from '#src/model/manifest.js';

const context = { outputs: 1, name: 'lab', path: 'stromaflow.json' };
const parse = (json: unknown, outputs = 1, patchSize?: number) =>
  parseManifest(json, { ...context, outputs, ...(patchSize !== undefined && { patchSize }) });
const FIELDS = [
  'name',
  'version',
  'spacing',
  'patchSize',
  'threshold',
  'classes',
  'input',
  'licence',
  'provenance',
  'metrics',
] as const;

/** Every field as somebody might state it. */
const COMPLETE = {
  name: 'stroma',
  version: '2.1.0',
  spacing: 0.25,
  patchSize: 256,
  threshold: 0.3,
  classes: ['stroma'],
  positiveClasses: [0],
  input: { range: [0, 255], mean: [1, 2, 3], std: [4, 5, 6] },
  licence: 'MIT',
  provenance: 'here',
  metrics: [{ set: 'test', metric: 'IoU', value: 0.8 }],
};

describe('what is not stated', () => {
  test('is assumed as in the study, and named; what is stated is taken as it is', () => {
    fc.assert(
      fc.property(fc.subarray([...FIELDS]), stated => {
        const json = Object.fromEntries(stated.map(name => [name, COMPLETE[name]]));
        const { manifest, assumed } = parse(json);
        expect([...assumed].sort()).toEqual(FIELDS.filter(name => !stated.includes(name)).sort());
        expect(manifest).toEqual({
          name: 'lab',
          version: '0',
          spacing: 0.5,
          patchSize: 512,
          threshold: 0.5,
          classes: ['stroma'],
          positiveClasses: [0],
          input: IMAGENET,
          licence: 'not stated',
          provenance: 'not stated',
          metrics: [],
          ...json,
        });
      }),
    );
  });

  test('of a file that is not there is everything; of one class the positive one is no guess', () => {
    expect(parse(undefined).assumed).toEqual(FIELDS);
    expect(parse({}).manifest.positiveClasses).toEqual([0]);
  });

  test('is the patch size of the graph, where that is fixed', () => {
    expect(parse({}, 1, 96).manifest.patchSize).toBe(96);
    expect(parse({ patchSize: 64 }, 1, 96).manifest.patchSize).toBe(64);
  });

  test('are names of several classes: their numbers', () => {
    expect(parse({ positiveClasses: [2] }, 3).manifest.classes).toEqual(['class 0', 'class 1', 'class 2']);
  });

  test('cannot be the positive ones of several classes', () => {
    expect(() => parse({}, 2)).toThrow(
      expect.objectContaining({
        code: 'MODEL_INVALID',
        message: 'stromaflow.json: positiveClasses is needed, the model has 2 classes',
        fix: expect.stringContaining('"positiveClasses": [1]'),
      }),
    );
  });
});

describe('the ends of what is taken', () => {
  test.each([
    ['spacing', [1e-9, 0.5, 99.9], [0, -0.5, 100, Number.NaN, '0.5', null]],
    ['patchSize', [32, 64, 4096], [0, 16, 33, 48, 4128, 64.5, '64', null]],
    ['threshold', [1e-9, 0.5, 0.999_999], [0, 1, -1, Number.POSITIVE_INFINITY, '0.5', null]],
    ['name', ['x', ' x '], ['', ' ', '\n', 5, null]],
    ['version', ['0', 'v1'], ['', 1, null, {}]],
    ['classes', [['a']], [[], ['a', 'b'], [''], [1], 'a', null]],
    ['positiveClasses', [[0]], [[], [1], [0, 0], [-1], [0.5], ['0'], 0, null]],
    ['metrics', [[], COMPLETE.metrics], [[{}], [{ ...COMPLETE.metrics[0], value: '0.8' }], {}, null]],
  ])('%s', (name, taken, refused) => {
    for (const value of taken) expect(parse({ [name]: value }).manifest).toMatchObject({ [name]: value });
    for (const value of refused)
      expect(() => parse({ [name]: value })).toThrow(
        expect.objectContaining({
          code: 'MODEL_INVALID',
          message: expect.stringMatching(new RegExp(`^stromaflow\\.json: ${name} is .*, but must be `)),
          fix: expect.stringContaining('docs/models.md'),
        }),
      );
  });

  test('positive classes: any distinct channels there are, in any order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.array(fc.integer({ min: -1, max: 8 }), { maxLength: 5 }),
        (n, list) => {
          const sound = list.length > 0 && list.every((c, i) => c >= 0 && c < n && list.indexOf(c) === i);
          if (sound) expect(parse({ positiveClasses: list }, n).manifest.positiveClasses).toEqual(list);
          else expect(() => parse({ positiveClasses: list }, n)).toThrow(`distinct channels from 0 to ${n - 1}`);
        },
      ),
    );
  });

  test.each([
    [{ range: [0, 1], mean: [0, 0, 0], std: [1, 1, 1] }, true],
    [{ range: [0, 255], mean: [-1, 0, 1e3], std: [1e-3, 1, 1e3] }, true],
    [{ range: [0, 1, 1], mean: [0, 0, 0], std: [1, 1, 1] }, false],
    [{ range: [1, 0], mean: [0, 0, 0], std: [1, 1, 1] }, false],
    [{ range: [0, 1], mean: [0, 0], std: [1, 1, 1] }, false],
    [{ range: [0, 1], mean: [0, 0, 0, 0], std: [1, 1, 1, 1] }, false],
    [{ range: [0, 1], mean: [0, 0, 0], std: [1, 1, -1] }, false],
    [{ range: [0, 1], mean: [0, 0, 0] }, false],
    [null, false],
    [[], false],
  ])('input %j: %s', (input, sound) => {
    if (sound) expect(parse({ input }).manifest.input).toEqual(input);
    else expect(() => parse({ input })).toThrow('input is');
  });
});

describe('a manifest', () => {
  test.each([null, [], 'text', 5, true])('is an object, not %j', json => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code: 'MODEL_INVALID', message: 'stromaflow.json: not a JSON object' }),
    );
  });

  test('may say more than is known here', () => {
    expect(parse({ ...COMPLETE, contact: 'lab' })).toEqual({ manifest: COMPLETE, assumed: [] });
  });

  test('may have a label map, which is read like that of a labelled set', () => {
    const labels = [
      { value: 1, name: 'stroma', meaning: 'positive' },
      { value: 255, name: 'out', meaning: 'ignored' },
    ];
    expect(parse({ labels }).manifest.labels).toEqual(labels);
    expect(parse({}).manifest).not.toHaveProperty('labels');
    expect(() => parse({ labels: [{ ...labels[0], meaning: 'good' }] })).toThrow('labels[0].meaning');
  });
});

describe('a notice', () => {
  test('is taken as it is, and nobody misses it', () => {
    expect(parse({ notice: 'lung only' }).manifest.notice).toBe('lung only');
    expect(parse({}).assumed).not.toContain('notice');
    expect('notice' in parse({}).manifest).toBe(false);
  });

  test.each([[''], [7], ['x'.repeat(161)]])('%j is refused', notice => {
    expect(() => parse({ notice })).toThrow(expect.objectContaining({ code: 'MODEL_INVALID' }));
  });
});
