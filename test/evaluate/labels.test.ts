import { describe, expect, it } from 'vitest';
import {
  describeLabelMap,
  HIGHEST_UNDECLARED_VALUE,
  LABEL_MEANINGS,
  type LabelMap,
  labelName,
  parseLabelMap,
  TIGER_CLASSES,
} from '#src/evaluate/labels.js';

const meaning = (map: LabelMap, value: number) => LABEL_MEANINGS[map.meanings[value]!];

describe('parseLabelMap', () => {
  it('reads lists, ranges and blanks', () => {
    const map = parseLabelMap({ positive: '2, 6', ignore: '0', negative: '3-5' });
    expect([0, 1, 2, 3, 5, 6, 7].map(value => meaning(map, value))).toEqual([
      'ignored',
      'unknown',
      'positive',
      'negative',
      'negative',
      'positive',
      'unknown',
    ]);
  });

  it('takes small undeclared values for negative where no list of negatives was given', () => {
    const map = parseLabelMap({ positive: '1' });
    expect(meaning(map, 0)).toBe('negative');
    expect(meaning(map, HIGHEST_UNDECLARED_VALUE)).toBe('negative');
    expect(meaning(map, HIGHEST_UNDECLARED_VALUE + 1)).toBe('unknown');
    expect(meaning(map, 255)).toBe('unknown');
    expect(meaning(parseLabelMap({ positive: '255' }), 255)).toBe('positive');
  });

  it('knows TIGER: 0 is ignored, stroma is 2 and 6, 8 does not exist', () => {
    const map = parseLabelMap({ classes: TIGER_CLASSES });
    expect([0, 2, 6, 7, 8].map(value => meaning(map, value))).toEqual([
      'ignored',
      'positive',
      'positive',
      'negative',
      'unknown',
    ]);
    expect(labelName(map, 6)).toBe('inflamed stroma');
    expect(labelName(map, 9)).toBe('label 9');
  });

  it('lets a list override the set’s own meanings, by name too', () => {
    const map = parseLabelMap({ classes: TIGER_CLASSES, positive: 'Invasive Tumor', ignore: '0,7' });
    expect([1, 2, 6, 7].map(value => meaning(map, value))).toEqual(['positive', 'negative', 'negative', 'ignored']);
  });

  it('reads colours', () => {
    const map = parseLabelMap({ positive: '2', colours: '#FF0000=2,#00ff00=1' });
    expect(map.colours.get(0xff0000)).toBe(2);
    expect(map.colours.get(0x00ff00)).toBe(1);
    expect(describeLabelMap(map).join('\n')).toMatchInlineSnapshot(`
      "  1  negative  label 1 #00ff00
        2  positive  label 2 #ff0000
            negative  every other value up to 31"
    `);
  });

  it.each([
    [{ positive: '300' }, /'300' is no label value/],
    [{ positive: '2', ignore: '2' }, /both positive and ignored/],
    [{ positive: 'stroma' }, /'stroma' is no label value/],
    [{ positive: '5-2' }, /'5-2'/],
    [{ positive: '2,,3' }, /'' is no label value/],
    [{ ignore: '0' }, /no label value is declared positive/],
    [{ positive: '1', colours: 'red=1' }, /#rrggbb/],
  ])('refuses %j', (options, message) => {
    expect(() => parseLabelMap(options)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
