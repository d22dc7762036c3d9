import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeNpy } from '#src/model/npy.js';

/** Reads what numpy.load would: magic, version, header literal, data at a multiple of 64. */
function decode(file: Uint8Array): { shape: number[]; values: Float32Array } {
  expect([...file.subarray(0, 8)]).toEqual([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0]);
  const length = new DataView(file.buffer).getUint16(8, true);
  const start = 10 + length;
  expect(start % 64).toBe(0);
  const header = new TextDecoder().decode(file.subarray(10, start));
  const match = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(header);
  expect(match, header).not.toBeNull();
  const shape = match![1]!
    .split(',')
    .filter(size => size.trim() !== '')
    .map(Number);
  return { shape, values: new Float32Array(file.slice(start).buffer) };
}

test('shape and values survive', () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(shapes, shape => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i / 3 - 1);
      expect(decode(encodeNpy(values, shape))).toEqual({ shape, values });
    }),
  );
});

test('one axis is a tuple, as Python needs it', () => {
  expect(new TextDecoder('latin1').decode(encodeNpy(new Float32Array(3), [3]))).toContain("'shape': (3,),");
});
