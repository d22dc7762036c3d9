import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PatchSpool } from '#src/evaluate/patch-spool.js';
import { chooseExamples } from '#src/evaluate/report/examples.js';
import type { PatchScore } from '#src/evaluate/tally.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

/** 4096 pixels of core. */
const MASK = new Uint8Array(512);
interface Shown extends Partial<PatchScore> {
  readonly image: string;
  readonly mask?: Uint8Array;
}

let spools = 0;
async function spoolOf(name: string, patches: readonly Shown[]) {
  const spool = new PatchSpool(join(folder, `spool${spools++}`));
  for (const { image, mask = MASK, ...more } of patches) {
    const counts = { tp: 1000, fp: 0, fn: 1000, tn: 2000 };
    const score = { col: 0, row: 0, split: 'all', outcome: 'segmented', counts, boundary: [], ...more } as const;
    await spool.append(image, score, mask);
  }
  return { name, spool };
}
const shown = async (patches: readonly Shown[]) =>
  (await chooseExamples([await spoolOf('m', patches)], { split: 'all', each: 9 })).map(({ image }) => image);

describe('a patch is shown', () => {
  it('from a quarter of it labelled on', async () => {
    const counts = (labelled: number) => ({ tp: 900, fp: 0, fn: 0, tn: labelled - 900 });
    expect(await shown([{ image: 'at', counts: counts(1024) }])).toEqual(['at']);
    expect(await shown([{ image: 'below', counts: counts(1023) }])).toEqual([]);
  });

  it('from a twentieth of its labels being stroma on', async () => {
    const counts = (stroma: number) => ({ tp: 0, fp: 500, fn: stroma, tn: 3500 - stroma });
    expect(await shown([{ image: 'at', counts: counts(200) }])).toEqual(['at']);
    expect(await shown([{ image: 'below', counts: counts(199) }])).toEqual([]);
  });

  it('only when every model has scored it, and it is of the split', async () => {
    const a = await spoolOf('a', [
      { image: 'x' },
      { image: 'y' },
      { image: 'z', split: 'train' },
      { image: 'x', col: 1 },
    ]);
    const b = await spoolOf('b', [{ image: 'x' }, { image: 'z', split: 'train' }]);
    const examples = await chooseExamples([a, b], { split: 'all', each: 5 });
    expect(examples.map(({ image, col }) => `${image} ${col}`)).toEqual(['x 0']);
    expect(examples[0]).toMatchObject({ why: 'best', iou: { a: 0.5, b: 0.5 }, disagreement: 0 });
    expect(await chooseExamples([], { split: 'all', each: 5 })).toEqual([]);
  });
});

describe('examples', () => {
  const patches = fc.array(fc.record({ image: fc.nat(5), col: fc.nat(2), tp: fc.integer({ min: 0, max: 2000 }) }), {
    minLength: 1,
    maxLength: 18,
  });

  it('hold the best and the worst of all, no patch twice, no image twice of one sort, best first', async () => {
    await fc.assert(
      fc.asyncProperty(patches, fc.integer({ min: 1, max: 3 }), async (drawn, each) => {
        const unique = [...new Map(drawn.map(one => [`${one.image} ${one.col}`, one])).values()];
        const model = await spoolOf(
          'm',
          unique.map(({ image, col, tp }) => ({
            image: `i${image}`,
            col,
            counts: { tp, fp: 0, fn: 2000 - tp, tn: 2000 },
          })),
        );
        const examples = await chooseExamples([model], { split: 'all', each });
        const places = examples.map(({ image, col, row }) => `${image} ${col} ${row}`);
        expect(new Set(places).size).toBe(places.length);
        const scores = unique.map(({ tp }) => tp / 2000);
        const of = (why: string) => examples.filter(example => example.why === why);
        const ious = (why: string) => of(why).map(({ iou }) => iou['m']!);
        expect(ious('best')[0]).toBe(Math.max(...scores));
        expect(ious('best')).toEqual([...ious('best')].sort((a, b) => b - a));
        expect(ious('worst')).toEqual([...ious('worst')].sort((a, b) => a - b));
        if (
          !scores.some(
            (score, i) => score === Math.min(...scores) && !places.includes(`i${unique[i]!.image} ${unique[i]!.col} 0`),
          )
        )
          expect(examples.map(({ iou }) => iou['m'])).toContain(Math.min(...scores));
        for (const why of ['best', 'median', 'worst']) {
          expect(of(why).length).toBeLessThanOrEqual(each);
          expect(new Set(of(why).map(({ image }) => image)).size).toBe(of(why).length);
        }
        expect(of('disagreement')).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('take for the median the patch nearest the middle score', async () => {
    const scored = [0.1, 0.2, 0.6, 0.65, 0.9].map((iou, i) => ({
      ...{ image: `i${i}`, counts: { tp: iou * 2000, fp: 0, fn: 2000 - iou * 2000, tn: 2000 } },
    }));
    const examples = await chooseExamples([await spoolOf('m', scored)], { split: 'all', each: 1 });
    expect(examples.map(({ why, image }) => [why, image])).toEqual([
      ['best', 'i4'],
      ['median', 'i2'],
      ['worst', 'i0'],
    ]);
  });

  it('count for three models the pixels in which the two most different differ', async () => {
    const model = (name: string, fill: number) => spoolOf(name, [{ image: 'x', mask: new Uint8Array(512).fill(fill) }]);
    const models = [await model('a', 0b1), await model('b', 0b11), await model('c', 0b11110000)];
    const [example] = await chooseExamples(models, { split: 'all', each: 1 });
    expect(example!.disagreement).toBe(512 * 6);
    const equal = [await model('a', 7), await model('b', 7)];
    const kinds = (await chooseExamples(equal, { split: 'all', each: 1 })).map(({ why }) => why);
    expect(kinds).not.toContain('disagreement');
  });
});
