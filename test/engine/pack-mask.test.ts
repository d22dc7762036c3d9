import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packMask } from '#src/engine/pack-mask.js';
import { packBits } from '#src/mask/bits.js';

test('equals packing pixel by pixel', () => {
  const masks = fc.uint8Array({ minLength: 8, maxLength: 512, max: 1 }).map(mask => mask.slice(0, mask.length & ~7));
  fc.assert(
    fc.property(masks, mask => {
      expect(packMask(mask)).toEqual(packBits(mask, mask.length, 1));
    }),
  );
});

test('the first pixel is the most significant bit', () => {
  expect([...packMask(Uint8Array.of(1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1))]).toEqual([
    0b10000011, 0b01111111,
  ]);
});

test('a view into a larger mask is packed in place; what is not whole is refused', () => {
  const mask = Uint8Array.from({ length: 24 }, (_, i) => (i >= 16 ? 1 : 0));
  expect([...packMask(mask.subarray(16))]).toEqual([255]);
  expect(() => packMask(new Uint8Array(12))).toThrow(RangeError);
  expect(() => packMask(mask.subarray(2, 10))).toThrow(RangeError);
});
