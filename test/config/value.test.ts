import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPTIONS, type OptionName, type OptionSpec } from '#src/config/options.js';
import { parseValue } from '#src/config/value.js';

const all = Object.entries(OPTIONS) as [OptionName, OptionSpec][];
const numbers = all.filter(([, { type }]) => type === 'integer' || type === 'number');
const refused = (code: string) => expect.objectContaining({ code });

describe('numbers', () => {
  it.each(numbers)(
    '--%s takes both ends of its range and nothing beyond',
    (name, { type, min, max, multipleOf = 1 }) => {
      const step = type === 'integer' ? multipleOf : 1e-6;
      for (const [end, beyond] of [
        [min, -step],
        [max, step],
      ] as const) {
        if (end === undefined) continue;
        expect(parseValue(name, end, 'lab.yaml')).toBe(end);
        expect(parseValue(name, String(end), `--${name}`)).toBe(end);
        expect(() => parseValue(name, end + beyond, 'lab.yaml')).toThrow(refused('CONFIG_INVALID'));
        expect(() => parseValue(name, String(end + beyond), `--${name}`)).toThrow(refused('USAGE'));
      }
    },
  );

  it.each(numbers)('--%s is no text, no truth value, no list and nothing endless', name => {
    for (const raw of ['', ' ', 'NaN', 'Infinity', '1,5', '1 2', 'x1', true, false, null, [], [1], {}, Infinity, NaN])
      expect(() => parseValue(name, raw, `--${name}`)).toThrow(refused('USAGE'));
  });

  it('that must be whole, or a multiple, are refused between two of them', () => {
    for (const [name, { type, min = 0, multipleOf = 1 }] of numbers) {
      if (type !== 'integer') continue;
      expect(() => parseValue(name, min + 0.5, name)).toThrow('a whole number');
      if (multipleOf > 1)
        expect(() => parseValue(name, min + 1, name)).toThrow(`a multiple of ${multipleOf}, got ${min + 1}`);
    }
  });

  it('written as text are the numbers themselves', () => {
    fc.assert(
      fc.property(fc.constantFrom(...numbers), fc.double({ min: 0, max: 1, noNaN: true }), ([name, spec], part) => {
        const { min = 0, max = 1e6, type, multipleOf = 1 } = spec;
        const between = min + part * (max - min);
        const steps = Math.floor((between - min) / multipleOf) * multipleOf + Math.ceil(min / multipleOf) * multipleOf;
        const value = type === 'integer' ? Math.min(max, steps) : between;
        expect(parseValue(name, ` ${value} `, name)).toBe(parseValue(name, value, name));
      }),
    );
  });
});

describe('choices', () => {
  it('are taken as they are written, and the refusal lists them all', () => {
    for (const [name, { type, choices = [] }] of all) {
      if (type !== 'choice') continue;
      for (const choice of choices) expect(parseValue(name, choice, name)).toBe(choice);
      const listed = `one of ${choices.join(', ')}, got`;
      for (const raw of [choices[0]!.toUpperCase(), '', null, [], 'constructor'])
        expect(() => parseValue(name, raw, name)).toThrow(listed);
    }
  });
});

describe('truth values', () => {
  it.each([
    [true, true],
    ['true', true],
    ['1', true],
    [false, false],
    ['false', false],
    ['0', false],
  ])('%j is %s', (raw, value) => {
    expect(parseValue('fresh', raw, 'STROMAFLOW_FRESH')).toBe(value);
  });

  it.each(['', 'yes', 'TRUE', 'on', 1, 0, null, []])('%j is none', raw => {
    expect(() => parseValue('fresh', raw, 'STROMAFLOW_FRESH')).toThrow('STROMAFLOW_FRESH: expected true or false');
  });
});

describe('texts', () => {
  it('are kept to the letter, spaces at the ends too; an empty one is no value', () => {
    expect(parseValue('site', ' Lab 1 ', 'site')).toBe(' Lab 1 ');
    for (const raw of ['', '  ', '\t', 5, null, [], true])
      expect(() => parseValue('out', raw, 'lab.yaml: out')).toThrow(`lab.yaml: out: expected text, got`);
  });
});
