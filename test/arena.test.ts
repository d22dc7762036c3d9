import { describe, expect, it } from 'vitest';
import { Arena } from '#src/arena.js';

describe('the arena', () => {
  it('has slots of RGB that touch and do not overlap, also in another thread', () => {
    const arena = new Arena({ slots: 3, patchSize: 32 });
    for (const slot of [0, 1, 2]) arena.slot(slot).fill(slot + 1);
    const other = new Arena(arena.shape, arena.shared);
    for (const slot of [0, 1, 2]) {
      expect(other.slot(slot)).toHaveLength(32 * 32 * 3);
      expect(new Set(other.slot(slot))).toEqual(new Set([slot + 1]));
    }
    expect(arena.shared.byteLength).toBe(3 * 32 * 32 * 3);
    for (const slot of [-1, 3]) expect(() => arena.slot(slot)).toThrow(`slot ${slot} of 3`);
  });
});
