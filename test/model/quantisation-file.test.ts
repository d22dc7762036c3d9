import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { simplify } from '#src/model/graph/simplify.js';
import { affines, measuredPlaces, parseQuantisation } from '#src/model/int8/quantisation.js';
import { SMALL } from '../support/formula-weights.js';

const graph = simplify(buildNetwork(parseArchitecture(SMALL, 'config.json')));
const places = measuredPlaces(graph).map(({ name }) => name);
const sound = { patches: 12, ranges: Object.fromEntries(places.map((name, i) => [name, [-i, i + 1]])) };
const parse = (json: unknown) => parseQuantisation(json, graph, 'quantisation.json');
const refusal = (message: string) =>
  expect.objectContaining({
    code: 'MODEL_INVALID',
    message: `quantisation.json: ${message}`,
    fix: expect.stringContaining('stromaflow model quantise'),
  });

test('a sound file is read as it is, and gives every measured tensor its bytes', () => {
  expect(places.length).toBeGreaterThan(10);
  expect(parse(sound)).toEqual(sound);
  const found = affines(graph, parse(sound));
  for (const [i, { value }] of measuredPlaces(graph).entries())
    expect(found.get(value)!.scale).toBeCloseTo((2 * i + 1) / 255, 6);
});

test.each([0, -1, 1.5, '3', null, undefined])('measured on %j patches', patches => {
  expect(() => parse({ ...sound, patches })).toThrow(refusal('patches is no number above 0'));
});

test.each([null, undefined, 7, 'x'])('ranges that are %j', ranges => {
  expect(() => parse({ ...sound, ranges })).toThrow(refusal('ranges is no object'));
});

test.each([null, [], 'x', 5])('a file that holds %j', json => {
  expect(() => parse(json)).toThrow(refusal('patches is no number above 0'));
});

describe('a range', () => {
  test.each([[[1, 0]], [[0]], [[0, 1, 2]], [['0', '1']], [[0, null]], [0], ['0 1'], [{}], [null]])(
    'cannot be %j',
    range => {
      const ranges = { ...sound.ranges, [places[3]!]: range };
      expect(() => parse({ ...sound, ranges })).toThrow(
        refusal(`the range of ${places[3]} is ${JSON.stringify(range)}, not [lowest, highest]`),
      );
    },
  );

  test('may be one value', () => {
    const ranges = { ...sound.ranges, [places[0]!]: [0.5, 0.5] };
    expect(parse({ ...sound, ranges }).ranges[places[0]!]).toEqual([0.5, 0.5]);
  });

  test('that is missing is named, and one for a tensor that is not there too', () => {
    fc.assert(
      fc.property(fc.constantFrom(...places), name => {
        const { [name]: gone, ...rest } = sound.ranges;
        expect(gone).toBeDefined();
        expect(() => parse({ ...sound, ranges: rest })).toThrow(refusal(`the range of ${name} is missing`));
        const more = { ...sound.ranges, [`${name}/x`]: [0, 1] };
        expect(() => parse({ ...sound, ranges: more })).toThrow(refusal(`the network has no ${name}/x`));
      }),
    );
  });
});
