import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimal } from '#src/slide/decimal.js';

describe('decimal', () => {
  it('reads any number with a point or a comma', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.boolean(), (value, comma) => {
        const text = ` ${value.toPrecision(12)} `;
        expect(decimal(comma ? text.replace('.', ',') : text)).toBeCloseTo(value, 4);
      }),
    );
  });

  it.each([undefined, '', ' ', '.', ',', '1,000,000', '1.000,5', '0.25 µm', '0x10', 'Infinity', 'NaN', '1e', '--1'])(
    'is not a number: %s',
    text => {
      expect(decimal(text)).toBeNaN();
    },
  );
});
