import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  makeSplit,
  parseFractions,
  readSplit,
  SPLITS,
  type Split,
  splitOf,
  trainPictures,
  writeSplit,
} from '#src/evaluate/split.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const GRID = { spacing: 0.5, patchSize: 512 };
const FRACTIONS = { train: 0.8, validation: 0.1, test: 0.1 };
const file: Split = {
  ...{ version: 1, by: 'patch', seed: 1, fractions: FRACTIONS },
  ...GRID,
  images: { a: { patient: 'p', cols: 2, patches: 'ttve' }, b: { patient: 'q', split: 'validation' } },
};

async function reading(json: unknown): Promise<Split> {
  const path = join(folder, 'split.json');
  await writeFile(path, JSON.stringify(json));
  return readSplit(path);
}

describe('readSplit', () => {
  it('takes patches and whole images side by side', async () => {
    expect(await reading(file)).toEqual(file);
    expect(await reading({ ...file, images: {} })).toMatchObject({ images: {} });
  });

  const images = (a: unknown) => ({ ...file, images: { ok: { patient: 'p', split: 'test' }, a } });
  it.each<[string, unknown]>([
    ['null', null],
    ['another version', { ...file, version: 2 }],
    ['another unit', { ...file, by: 'slide' }],
    ['no images', { ...file, images: undefined }],
    ['images that are null', { ...file, images: null }],
    ['no fractions', { ...file, fractions: undefined }],
    ['fractions that are null', { ...file, fractions: null }],
    ['an image that is null', images(null)],
    ['an image that is text', images('train')],
    ['an image without a patient', images({ split: 'train' })],
    ['a split of another name', images({ patient: 'p', split: 'val' })],
    ['letters of no split', images({ patient: 'p', patches: 'tTe', cols: 3 })],
    ['letters without the width of the grid', images({ patient: 'p', patches: 'tte' })],
    ['a grid of half a column', images({ patient: 'p', patches: 'tte', cols: 1.5 })],
    ['neither split nor patches', images({ patient: 'p' })],
  ])('refuses a file with %s, naming it', async (_, json) => {
    await expect(reading(json)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: `${join(folder, 'split.json')}: it is no split file of version 1`,
    });
  });

  it('never ends in anything but a split or LABELS_INVALID', async () => {
    const part = fc.jsonValue({ maxDepth: 3 });
    const nearly = fc.record({
      version: fc.constant(1),
      by: fc.constantFrom('patch', 'patient'),
      fractions: fc.oneof(part, fc.constant(FRACTIONS)),
      images: fc.oneof(part, fc.dictionary(fc.string(), fc.oneof(part, fc.constant(file.images['a'])))),
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(part, nearly), async json => {
        const result = await reading(json).catch(error => error);
        if (result instanceof Error) expect(result).toMatchObject({ code: 'LABELS_INVALID' });
        else for (const id of Object.keys(result.images)) expect(SPLITS).toContain(splitOf(result, id, 0, 0));
      }),
      { numRuns: 150 },
    );
  });
});

describe('splitOf', () => {
  it('reads letters row by row; what lies outside the stated grid is test', () => {
    const letters = [0, 1].flatMap(row => [0, 1].map(col => splitOf(file, 'a', col, row)));
    expect(letters).toEqual(['train', 'train', 'validation', 'test']);
    expect(splitOf(file, 'a', 0, 2)).toBe('test');
    expect([0, 5].map(at => splitOf(file, 'b', at, at))).toEqual(['validation', 'validation']);
  });

  it('takes no image for known that only JavaScript knows', () => {
    for (const id of ['constructor', 'toString', '__proto__']) expect(splitOf(file, id, 0, 0)).toBe('test');
  });
});

const set = fc.array(
  fc.record({
    patient: fc.nat(9).map(n => `p${n}`),
    cols: fc.integer({ min: 1, max: 9 }),
    rows: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 1, maxLength: 30 },
);
const fractions = fc
  .tuple(fc.nat(10), fc.nat(10), fc.nat(10))
  .filter(parts => parts.some(part => part > 0))
  .map(([t, v, e]) => ({ train: t / (t + v + e), validation: v / (t + v + e), test: e / (t + v + e) }));

describe('makeSplit with other fractions', () => {
  it.each(['patch', 'patient'] as const)('by %s leaves a split of no share empty, and round-trips', async by => {
    await fc.assert(
      fc.asyncProperty(set, fractions, fc.integer(), async (items, shares, seed) => {
        const candidates = items.map((item, i) => ({ ...item, id: `image${i}` }));
        const split = makeSplit(candidates, { by, seed, fractions: shares, ...GRID });
        const counts = { train: 0, validation: 0, test: 0, all: 0 };
        for (const { id, cols, rows } of candidates)
          for (let i = 0; i < cols * rows; i++) counts[splitOf(split, id, i % cols, Math.floor(i / cols))]++;
        const total = candidates.reduce((sum, { cols, rows }) => sum + cols * rows, 0);
        expect(counts.train + counts.validation + counts.test).toBe(total);
        for (const name of SPLITS) {
          if (shares[name] === 0) expect(counts[name]).toBe(0);
          if (by === 'patch') expect(Math.abs(counts[name] - shares[name] * total)).toBeLessThanOrEqual(1);
        }
        await writeSplit(join(folder, 'made.json'), split);
        expect(await readSplit(join(folder, 'made.json'))).toEqual(split);
      }),
      { numRuns: 60 },
    );
  });
});

describe('parseFractions', () => {
  it('reads what train, validation and test get', () => {
    expect(parseFractions('0.5, 0, 0.5')).toEqual({ train: 0.5, validation: 0, test: 0.5 });
    expect(parseFractions('1,0,0')).toEqual({ train: 1, validation: 0, test: 0 });
  });

  it.each([
    '',
    '1',
    '0.5,0.5',
    '0.5,0.4,0.2',
    '0,0.5,0.5',
    '1.5,-0.5,0',
    '0.8,0.1,x',
    '0.8,,0.2',
    '0.25,0.25,0.25,0.25',
  ])('refuses %j', text => {
    expect(() => parseFractions(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('trainPictures', () => {
  it('knows pictures by the names that a set gives them', () => {
    const images = { a_b: { patient: 'p', split: 'train' }, c: { patient: 'q', split: 'test' } } as const;
    const fractions = { train: 0.5, validation: 0, test: 0.5 };
    const taken = trainPictures({ version: 1, by: 'patient', seed: 1, fractions, ...GRID, images });
    expect(['x/a b.png', 'a_b.svs', 'c.png', 'other.png', 'constructor.png'].map(taken)).toEqual([
      ...[true, true, false, false, false],
    ]);
  });
});
