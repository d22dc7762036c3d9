import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeLabelMap,
  isOpen,
  LABEL_MEANINGS,
  type LabelClass,
  type LabelMap,
  labelName,
  parseLabelMap,
  TIGER_CLASSES,
} from '#src/evaluate/labels.js';
import { valuesOfColours } from '#src/evaluate/mask-image.js';

const meanings = (map: LabelMap): string[] => [...map.meanings].map(code => LABEL_MEANINGS[code]!);
const CONFIG_INVALID = (message: RegExp) =>
  expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) });

/** A list as people type it, and the values it stands for. */
const typed = (from: number, to: number) =>
  fc
    .array(fc.tuple(fc.integer({ min: from, max: to }), fc.nat(6), fc.constantFrom('', ' ', '  ')), {
      minLength: 1,
      maxLength: 5,
    })
    .map(parts => {
      const ranges = parts.map(([first, more, blank]) => [first, Math.min(to, first + more), blank] as const);
      return {
        text: ranges.map(([a, b, blank]) => (a === b ? `${blank}${a}` : `${a}-${b}${blank}`)).join(','),
        values: new Set(ranges.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i))),
      };
    });

describe('lists of label values', () => {
  it('mean for every one of 256 values what they say, and the default elsewhere', () => {
    const lists = fc.record(
      { positive: typed(0, 80), ignore: typed(81, 160), negative: typed(161, 255) },
      { requiredKeys: ['positive'] },
    );
    fc.assert(
      fc.property(lists, ({ positive, ignore, negative }) => {
        const map = parseLabelMap({
          positive: positive.text,
          ...(ignore && { ignore: ignore.text }),
          ...(negative && { negative: negative.text }),
        });
        const expected = Array.from({ length: 256 }, (_, value) => {
          if (positive.values.has(value)) return 'positive';
          if (ignore?.values.has(value)) return 'ignored';
          if (negative?.values.has(value)) return 'negative';
          return negative === undefined && value <= 31 ? 'negative' : 'unknown';
        });
        expect(meanings(map)).toEqual(expected);
        const values = map.classes.map(item => item.value);
        expect(values).toEqual([...values].sort((a, b) => a - b));
        expect(isOpen(map)).toBe(negative === undefined);
      }),
    );
  });

  it('give the classes of a set another meaning and keep their names', () => {
    fc.assert(
      fc.property(fc.subarray([...TIGER_CLASSES], { minLength: 1 }), asked => {
        const map = parseLabelMap({ classes: TIGER_CLASSES, positive: asked.map(item => item.name).join(', ') });
        for (const { value, name, meaning } of TIGER_CLASSES) {
          const left = meaning === 'positive' ? 'negative' : meaning;
          expect(meanings(map)[value]).toBe(asked.some(item => item.value === value) ? 'positive' : left);
          expect(labelName(map, value)).toBe(name);
        }
        expect(meanings(map).slice(8)).toEqual(new Array(248).fill('unknown'));
      }),
    );
  });

  it.each([
    [{ positive: '' }, /no label value is declared positive/],
    [{ positive: ' ' }, /no label value is declared positive/],
    [{ classes: [] }, /no label value is declared positive/],
    [{ positive: '1', negative: '0-1' }, /label value 1 is declared both positive and negative/],
    [{ positive: '1', ignore: '250-256' }, /--ignore: '250-256' is no label value \(0–255\), range or class name/],
    [{ positive: '-1' }, /--positive: '-1'/],
    [{ positive: '1.5' }, /--positive: '1\.5'/],
    [{ positive: '1', negative: '1000' }, /--negative: '1000'/],
    [{ positive: '1', colours: '#12345=1' }, /--colours: '#12345=1' is not of the form #rrggbb=value/],
    [{ positive: '1', colours: '#123456=256' }, /--colours: '#123456=256'/],
    [{ positive: '1', colours: '#123456=1,' }, /--colours: ''/],
  ])('refuse %j', (options, message) => {
    expect(() => parseLabelMap(options)).toThrow(CONFIG_INVALID(message));
  });

  it('say how to name the positive class when there is none', () => {
    expect(() => parseLabelMap({ ignore: '0' })).toThrow(
      expect.objectContaining({ fix: expect.stringContaining('--positive 2,6') }),
    );
  });
});

describe('colour tables', () => {
  const pixels = (...colours: number[]) => Uint8Array.from(colours.flatMap(c => [c >> 16, (c >> 8) & 255, c & 255]));

  it('may give a class several colours', () => {
    const map = parseLabelMap({ positive: '1', colours: '#ff0000=1, #00FF00=1,#0000ff=0' });
    expect([...valuesOfColours(pixels(0xff0000, 0x00ff00, 0x0000ff, 0xff0000), 3, map)]).toEqual([1, 1, 0, 1]);
  });

  it('may not give a colour to two classes', () => {
    expect(() => parseLabelMap({ positive: '1', colours: '#ff0000=1,#FF0000=2' })).toThrow(
      CONFIG_INVALID(/colour #ff0000 is declared for both 1 and 2/),
    );
    const classes: LabelClass[] = [
      { value: 1, name: 'a', meaning: 'positive', colour: '#00ff00' },
      { value: 2, name: 'b', meaning: 'negative', colour: '#00ff00' },
    ];
    expect(() => parseLabelMap({ classes })).toThrow(CONFIG_INVALID(/#00ff00 is declared for both 1 and 2/));
    expect(parseLabelMap({ positive: '1', colours: '#ff0000=1,#ff0000=1' }).colours.size).toBe(1);
  });

  it('of the command line count before the set’s own', () => {
    const classes: LabelClass[] = [
      { value: 1, name: 'stroma', meaning: 'positive', colour: '#00ff00' },
      { value: 2, name: 'tumour', meaning: 'negative', colour: '#ff0000' },
    ];
    const map = parseLabelMap({ classes, colours: '#ff0000=1' });
    expect([...map.colours]).toEqual([[0xff0000, 1]]);
    expect(describeLabelMap(map)[0]).toBe('  1  positive  stroma #ff0000');
  });

  it('read any picture of their colours, with an alpha channel or without', () => {
    const map = parseLabelMap({ positive: '200', colours: '#010203=200,#030201=7,#000000=0,#ffffff=255' });
    const table = [...map.colours];
    fc.assert(
      fc.property(fc.array(fc.nat(table.length - 1)), fc.constantFrom(3, 4), (chosen, channels) => {
        const data = Uint8Array.from(
          chosen.flatMap(i => [...pixels(table[i]![0]), 99].slice(0, channels === 4 ? undefined : 3)),
        );
        expect([...valuesOfColours(data, channels, map)]).toEqual(chosen.map(i => table[i]![1]));
      }),
    );
    expect(() => valuesOfColours(pixels(0x010204), 3, map)).toThrow(/colour #010204 is in no colour table/);
  });
});

describe('names of annotated classes', () => {
  it('get values of their own, whatever case they are written in', () => {
    const map = parseLabelMap({ positive: 'Stroma, stroma,fat', negative: 'Gland', ignore: 'artefact', byName: true });
    expect(map.classes.map(({ value, name, meaning }) => [value, name, meaning])).toEqual([
      [0, 'outside the annotated regions', 'ignored'],
      [1, 'not annotated', 'negative'],
      [2, 'Stroma', 'positive'],
      [3, 'fat', 'positive'],
      [4, 'Gland', 'negative'],
      [5, 'artefact', 'ignored'],
      [200, 'classes ending in *', 'ignored'],
    ]);
    expect(map.annotations).toEqual({ inside: 1, outside: 0, ignored: 200, other: 255 });
    expect(LABEL_MEANINGS[map.meanings[255]!]).toBe('unknown');
  });

  it('leave what nobody annotated alone, whatever values the lists speak of', () => {
    const map = parseLabelMap({ positive: '0-3,Stroma', ignore: '200-210', byName: true });
    const { inside, outside, ignored, other } = map.annotations;
    expect([inside, outside, ignored, other].map(value => meanings(map)[value])).toEqual([
      ...['negative', 'ignored', 'ignored', 'negative'],
    ]);
    expect(new Set([inside, outside, ignored, other]).size).toBe(4);
    expect(meanings(map).slice(0, 5)).toEqual(['positive', 'positive', 'positive', 'positive', 'positive']);
  });

  it('may be numbers: of annotations names, of masks values', () => {
    const map = parseLabelMap({ positive: '1, 95202360', negative: '0', byName: true });
    expect(map.classes.slice(0, 3)).toMatchObject([
      { value: 0, name: '0', meaning: 'negative' },
      { value: 1, name: '1', meaning: 'positive' },
      { value: 2, name: '95202360', meaning: 'positive' },
    ]);
  });

  it('need a value for classes that are to be ignored where the set has none', () => {
    const classes: LabelClass[] = [{ value: 1, name: 'stroma', meaning: 'positive' }];
    const { annotations, ...map } = parseLabelMap({ classes, byName: true });
    expect(map.meanings[annotations.ignored]).toBe(2);
    expect(parseLabelMap({ classes }).classes).toHaveLength(1);
  });

  it('are those of the set where it states some: a name that is none of them is refused', () => {
    const byName = { classes: TIGER_CLASSES, byName: true };
    expect(parseLabelMap(byName).annotations).toEqual({ inside: 0, outside: 0, ignored: 0, other: 255 });
    expect(() => parseLabelMap({ ...byName, positive: 'fat' })).toThrow(CONFIG_INVALID(/--positive: 'fat'/));
  });
});
