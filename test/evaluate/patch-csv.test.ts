import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PatchSpool } from '#src/evaluate/patch-spool.js';
import { type SpooledModel, writePatchRows } from '#src/evaluate/report/patch-rows.js';
import type { PatchScore } from '#src/evaluate/tally.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

/** RFC 4180, character by character. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  let [cell, quoted] = ['', false];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted && c === '"' && text[i + 1] === '"') cell += text[i++];
    else if (c === '"') quoted = !quoted;
    else if (!quoted && (c === ',' || c === '\n')) {
      rows.at(-1)!.push(cell);
      cell = '';
      if (c === '\n') rows.push([]);
    } else cell += c;
  }
  return rows.slice(0, -1);
}

const boundary = (predicted: number, matched: number) => ({
  ...{ predicted, predictedMatched: matched, truth: predicted, truthMatched: matched },
});
const patch = (col: number, row: number, more: Partial<PatchScore> = {}): PatchScore => ({
  ...{ col, row, split: 'all', outcome: 'segmented', counts: { tp: 3, fp: 1, fn: 2, tn: 4 } },
  boundary: [boundary(4, 2), boundary(0, 0)],
  ...more,
});

let spools = 0;
async function written(
  models: readonly (readonly [name: string, image: string, patches: readonly PatchScore[]])[],
  facts = { patient: 'p', subset: 's' },
) {
  const spooled: SpooledModel[] = [];
  for (const [name, image, patches] of models) {
    const spool = new PatchSpool(join(folder, `spool${spools++}`));
    for (const one of patches) await spool.append(image, one, undefined);
    spooled.push({ name, spool });
  }
  const path = join(folder, 'patches.csv');
  await writePatchRows(path, spooled, () => facts);
  const [head, ...rows] = parseCsv(await readFile(path, 'utf8'));
  return rows.map(row => Object.fromEntries(head!.map((name, i) => [name, row[i]])));
}

describe('patches.csv', () => {
  it('has a patch’s counts and scores under their names, and nothing where a score is undefined', async () => {
    const none = patch(1, 0, { outcome: 'empty', counts: { tp: 0, fp: 0, fn: 0, tn: 9 }, split: 'test' });
    const [first, second] = await written([['m', 'i', [patch(0, 0), none]]]);
    expect(first).toEqual({
      ...{ model: 'm', image: 'i', patient: 'p', subset: 's', split: 'all', col: '0', row: '0', outcome: 'segmented' },
      ...{ tp: '3', fp: '1', fn: '2', tn: '4', iou: '0.5', dice: String(6 / 9) },
      ...{ boundary_f1_2px: '0.5', boundary_f1_5px: '' },
    });
    expect(second).toMatchObject({ outcome: 'empty', split: 'test', iou: '', dice: '', tn: '9' });
  });

  it('goes row by row whatever the order of the graph, a model after the other', async () => {
    const places = fc.uniqueArray(fc.tuple(fc.nat(5), fc.nat(5)), {
      minLength: 1,
      maxLength: 12,
      selector: p => `${p}`,
    });
    await fc.assert(
      fc.asyncProperty(places, async list => {
        const patches = list.map(([col, row]) => patch(col, row));
        const rows = await written([
          ['a', 'i', patches],
          ['b', 'i', [...patches].reverse()],
        ]);
        const sorted = [...list].sort(([c, r], [d, s]) => r - s || c - d).map(([c, r]) => `${c} ${r}`);
        expect(rows.map(({ model, col, row }) => `${model}: ${col} ${row}`)).toEqual(
          ['a', 'b'].flatMap(name => sorted.map(at => `${name}: ${at}`)),
        );
      }),
      { numRuns: 10 },
    );
  });

  it('gives back every name, and starts none with what a spreadsheet runs', async () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', '=', '+', '-', '@', '\t', 'x') }),
    );
    await fc.assert(
      fc.asyncProperty(name, name, async (model, patient) => {
        const [row] = await written([[model, 'i', [patch(0, 0)]]], { patient, subset: '=1+1' });
        expect(row!['subset']).toBe("'=1+1");
        for (const [cell, given] of [
          [row!['model']!, model],
          [row!['patient']!, patient],
        ] as const) {
          expect(cell).toBe(/^[=+\-@\t\r]/.test(given) ? `'${given}` : given);
          expect('=+-@\t\r').not.toContain(cell[0] ?? 'empty');
        }
      }),
      { numRuns: 60 },
    );
  });

  it('says that it could not be written, and where', async () => {
    const path = join(folder, 'taken');
    await mkdir(path);
    await expect(writePatchRows(path, [], () => ({ patient: '', subset: '' }))).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining(path),
    });
  });
});

describe('PatchSpool', () => {
  it('gives back counts, boundaries and masks of any kind', async () => {
    const counts = fc.record({ tp: fc.nat(), fp: fc.nat(), fn: fc.nat(), tn: fc.nat() });
    await fc.assert(
      fc.asyncProperty(counts, fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }), async (sums, mask) => {
        const spool = new PatchSpool(join(folder, `s${spools++}`));
        const score = patch(2, 3, { counts: sums });
        await spool.append('i/../j', score, mask);
        expect(spool.images).toEqual(['i/../j']);
        expect(await spool.read('i/../j')).toEqual([{ ...score, mask }]);
      }),
      { numRuns: 20 },
    );
  });

  it('names the file when its folder cannot be made', async () => {
    const spool = new PatchSpool(join(folder, 'patches', 'x'));
    await writePatchRows(join(folder, 'patches'), [], () => ({ patient: '', subset: '' }));
    await expect(spool.append('i', patch(0, 0), undefined)).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining(join('patches', 'x')),
    });
  });
});
