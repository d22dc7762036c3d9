import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TagTree } from '#src/codec/j2k/tag-tree.js';

/** Writes values as B.10.2 says: for each leaf asked for, node by node from the root, zeros up to a value and a one. */
function encode(cols: number, rows: number, values: readonly number[], asked: readonly (readonly [number, number])[]) {
  const levels = [{ cols, rows, values: [...values] }];
  for (let last = levels[0]!; last.values.length > 1; ) {
    const [across, down] = [Math.ceil(last.cols / 2), Math.ceil(last.rows / 2)];
    const least = new Array<number>(across * down).fill(Number.POSITIVE_INFINITY);
    for (const [i, value] of last.values.entries()) {
      const parent = Math.floor(Math.floor(i / last.cols) / 2) * across + Math.floor((i % last.cols) / 2);
      least[parent] = Math.min(least[parent]!, value);
    }
    last = { cols: across, rows: down, values: least };
    levels.push(last);
  }
  const told = levels.map(level => level.values.map(() => 0));
  const known = levels.map(level => level.values.map(() => false));
  const bits: number[] = [];
  for (const [leaf, limit] of asked) {
    let floor = 0;
    for (let depth = levels.length - 1; depth >= 0; depth--) {
      const [x, y] = [(leaf % cols) >> depth, Math.floor(leaf / cols) >> depth];
      const node = y * levels[depth]!.cols + x;
      told[depth]![node] = Math.max(told[depth]![node]!, floor);
      while (told[depth]![node]! < limit && !known[depth]![node]) {
        const there = levels[depth]!.values[node] === told[depth]![node];
        bits.push(there ? 1 : 0);
        if (there) known[depth]![node] = true;
        else told[depth]![node]!++;
      }
      floor = told[depth]![node]!;
    }
  }
  return bits;
}

describe('TagTree', () => {
  it('tells whether values are below limits, from the bits that code them and no others', () => {
    const grid = fc
      .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }))
      .chain(([cols, rows]) =>
        fc.tuple(
          fc.constant(cols),
          fc.constant(rows),
          fc.array(fc.nat({ max: 9 }), { minLength: cols * rows, maxLength: cols * rows }),
          fc.array(fc.tuple(fc.nat({ max: cols * rows - 1 }), fc.integer({ min: 1, max: 11 })), { maxLength: 30 }),
        ),
      );
    fc.assert(
      fc.property(grid, ([cols, rows, values, asked]) => {
        const tree = new TagTree(cols, rows);
        for (let round = 0; round < 2; round++) {
          const bits = encode(cols, rows, values, asked);
          for (const [leaf, limit] of asked)
            expect(tree.isBelow(leaf, limit, () => bits.shift()!)).toBe(values[leaf]! < limit);
          expect(bits).toEqual([]);
          tree.reset();
        }
      }),
    );
  });

  it('may be empty', () => {
    expect(() => new TagTree(0, 3)).not.toThrow();
  });
});
