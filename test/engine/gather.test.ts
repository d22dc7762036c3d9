import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gather } from '#src/engine/gather.js';

const SIZE = 6;

test('gives the bytes of all patches, wherever they lie, and never shared memory', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      (places, shared) => {
        const length = 8 * SIZE;
        const memory = new Uint8Array(shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length));
        memory.set(Uint8Array.from({ length }, (_, i) => i));
        const patches = places.map(place => memory.subarray(place * SIZE, (place + 1) * SIZE));
        const gathered = gather(patches, new Uint8Array(5 * SIZE));
        expect([...gathered]).toEqual(patches.flatMap(patch => [...patch]));
        expect(gathered.buffer).toBeInstanceOf(ArrayBuffer);
        const inPlace = !shared && places.every((place, i) => place === places[0]! + i);
        expect(gathered.buffer === memory.buffer).toBe(inPlace);
      },
    ),
  );
});
