import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeSplit, readSplit, SPLITS, type SplitCandidate, splitOf, writeSplit } from '#src/evaluate/split.js';
import { scratch } from './set-builder.js';

const grid = { spacing: 0.5, patchSize: 512 };
const candidates = fc.array(
  fc.record({
    patient: fc.nat(12).map(n => `p${n}`),
    cols: fc.integer({ min: 1, max: 6 }),
    rows: fc.integer({ min: 1, max: 6 }),
  }),
  { minLength: 3, maxLength: 40 },
);
const named = (items: readonly Omit<SplitCandidate, 'id'>[]): SplitCandidate[] =>
  items.map((item, i) => ({ ...item, id: `image${i}` }));

function letters(items: readonly SplitCandidate[], split: ReturnType<typeof makeSplit>) {
  return items.flatMap(({ id, patient, cols, rows }) =>
    Array.from({ length: cols * rows }, (_, i) => ({
      patient,
      name: splitOf(split, id, i % cols, Math.floor(i / cols)),
    })),
  );
}

describe('makeSplit', () => {
  it('by patch: exactly 80/10/10, the same by seed whatever the order of the set', () => {
    fc.assert(
      fc.property(candidates, fc.integer(), (items, seed) => {
        const set = named(items);
        const split = makeSplit(set, { by: 'patch', seed, ...grid });
        const all = letters(set, split);
        const count = (name: string) => all.filter(patch => patch.name === name).length;
        expect(count('train')).toBe(Math.round(all.length * 0.8));
        expect(count('train') + count('validation')).toBe(Math.round(all.length * 0.9));
        expect(count('train') + count('validation') + count('test')).toBe(all.length);
        expect(makeSplit([...set].reverse(), { by: 'patch', seed, ...grid })).toEqual(split);
      }),
    );
  });

  it('by patient: nobody is on two sides, no split is empty from three patients on', () => {
    fc.assert(
      fc.property(candidates, fc.integer(), (items, seed) => {
        const set = named(items);
        const all = letters(set, makeSplit(set, { by: 'patient', seed, ...grid }));
        const sides = new Map<string, Set<string>>();
        for (const { patient, name } of all) sides.set(patient, (sides.get(patient) ?? new Set()).add(name));
        for (const names of sides.values()) expect(names.size).toBe(1);
        if (sides.size >= 3) expect(new Set(all.map(patch => patch.name)).size).toBe(3);
      }),
    );
  });

  it('by patient: near 80/10/10 when there are many patients', () => {
    const set = named(Array.from({ length: 200 }, (_, i) => ({ patient: `p${i}`, cols: 1 + (i % 4), rows: 2 })));
    const all = letters(set, makeSplit(set, { by: 'patient', seed: 4, ...grid }));
    for (const [name, share] of [
      ['train', 0.8],
      ['validation', 0.1],
      ['test', 0.1],
    ] as const) {
      expect(Math.abs(all.filter(patch => patch.name === name).length / all.length - share)).toBeLessThan(0.01);
    }
  });

  it('knows nothing of an image that it does not hold: that is test', () => {
    const split = makeSplit(named([{ patient: 'p', cols: 1, rows: 1 }]), { by: 'patch', seed: 1, ...grid });
    expect(splitOf(split, 'other', 0, 0)).toBe('test');
    expect(splitOf(undefined, 'other', 0, 0)).toBe('all');
    expect(SPLITS).toContain(splitOf(split, 'image0', 0, 0));
  });
});

describe('the split file', () => {
  it('is read back as written, and refused when it is something else', async () => {
    const { path, remove } = await scratch();
    const split = makeSplit(named([{ patient: 'p', cols: 2, rows: 3 }]), { by: 'patch', seed: 1, ...grid });
    const file = join(path, 'split.json');
    await writeSplit(file, split);
    expect(await readSplit(file)).toEqual(split);
    await expect(readSplit(join(path, 'none.json'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    for (const text of [
      '{',
      '{}',
      JSON.stringify({ ...split, images: { a: { patient: 'p', patches: 'txe', cols: 1 } } }),
    ]) {
      await writeFile(file, text);
      await expect(readSplit(file)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    }
    await remove();
  });
});
