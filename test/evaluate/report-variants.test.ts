import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabelledSet } from '#src/evaluate/labelled-set.js';
import type { EvaluationReport } from '#src/evaluate/metrics.js';
import { PatchSpool } from '#src/evaluate/patch-spool.js';
import { reportedSplit } from '#src/evaluate/report/html.js';
import { splitOf } from '#src/evaluate/split.js';
import { splitSet } from '#src/evaluate/split-set.js';
import { type WriteReportOptions, writeReport } from '#src/evaluate/write-report.js';
import { moved, OPEN, openTiger, type Predict, walkSet } from './replayed-fixture.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
let set: LabelledSet;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
  set = await openTiger();
});
afterAll(() => remove());

let runs = 0;
async function replay(predict: Predict, options: Parameters<typeof walkSet>[1] = {}, name = 'one') {
  const spool = new PatchSpool(join(folder, `spool${runs++}`));
  const evaluation = await walkSet(set, { sink: spool, ...options }, predict);
  const facts = { name, version: '7', architecture: 'Linknet', encoder: 'mit_b0', threshold: 0.4 };
  return { facts, evaluation, spool };
}

async function written(options: Partial<WriteReportOptions> & Pick<WriteReportOptions, 'models'>) {
  const out = join(folder, `out${runs++}`);
  const report = await writeReport(out, { ...OPEN, set, resamples: 50, examples: 0, ...options });
  const html = await readFile(join(out, 'report.html'), 'utf8');
  return { out, report, html, text: html.replace(/<style>.*?<\/style>/s, '').replace(/<[^>]*>/g, '') };
}

describe('a report of one model without probabilities', () => {
  it('has no section of what there is none, and says what was left out', async () => {
    const dropped: Predict = (labels, _item, col) => (col === 1 ? undefined : labels.positive);
    const now = new Date('2026-02-03T04:05:06.789Z');
    const { html, text, report, out } = await written({ models: [await replay(dropped)], now });
    const headings = [...html.matchAll(/<h2>([^<]*)/g)].map(match => match[1]);
    expect(headings).toEqual([
      ...['Results', 'Patient by patient', 'Stroma area', 'What is mistaken for what', 'How it was measured'],
    ]);
    expect(html).not.toMatch(/<details>|<img|class="key"|undefined|NaN|null/);
    const { removedEmpty, unlabelled, positivePixelsInEmpty, scored } = report.models[0]!.splits.all!.patches;
    expect(positivePixelsInEmpty).toBeGreaterThan(0);
    const left = `${removedEmpty} empty patches, ${unlabelled} patches without a label; `;
    expect(text).toContain(`${left}${positivePixelsInEmpty.toLocaleString('en')} annotated stroma pixels lay in`);
    expect(text).toContain(`5 images of 4 patients, ${scored} patches · TIGER layout · 2026-02-03`);
    expect(report.createdAt).toBe('2026-02-03T04:05:06.789Z');
    expect(report).toMatchObject({ comparisons: [], examples: [], set: { faults: [], undeclared: 'fault' } });
    expect(report.protocol).not.toHaveProperty('split');
    // An architecture the study did not measure has no number of it; names are printed as they are.
    expect(text).toMatch(/Linknetmit_b0/);
    expect(html).toContain('<td class="soft" data-source="study">–</td>');
    expect((await readdir(out)).sort()).toEqual(['metrics.json', 'patches.csv', 'report.html']);
  });

  it('takes everything for missed where the model says nothing, and says so without a number that is none', async () => {
    const { report, html } = await written({
      models: [await replay(labels => new Uint8Array(labels.positive.length))],
    });
    const all = report.models[0]!.splits.all!;
    expect(all).toMatchObject({ counts: { tp: 0, fp: 0 }, areaError: { value: -1 }, recall: { value: 0 } });
    expect(all.precision.value).toBeNaN();
    expect(html).toContain('data-source="models[0].splits.all.precision">–</td>');
    expect(html).toContain('data-source="models[0].splits.all.areaError">−100.0 %');
  });
});

describe('a report of a split set', () => {
  it('shows the test split, and every score of it is of test patches', async () => {
    const split = await splitSet(set, { ...OPEN, by: 'patient', seed: 2, patchSize: 64 });
    const { report, text, out } = await written({ models: [await replay(moved(2), { split })], split });
    expect(reportedSplit(report)).toBe('test');
    expect(text).toMatch(/^.*test split: /m);
    expect(text).toContain('by patient, seed 2; shown: test');
    expect(report.protocol.split).toEqual({ by: 'patient', seed: 2 });
    const [head, ...rows] = (await readFile(join(out, 'patches.csv'), 'utf8')).trimEnd().split('\n');
    const at = (name: string) => head!.split(',').indexOf(name);
    const counts = { train: 0, validation: 0, test: 0 } as Record<string, number>;
    for (const row of rows.map(line => line.split(','))) {
      const name = row[at('split')]!;
      expect(name).toBe(splitOf(split, row[at('image')]!, Number(row[at('col')]), Number(row[at('row')])));
      counts[name]!++;
    }
    for (const [name, result] of Object.entries(report.models[0]!.splits))
      expect(result.patches.scored).toBe(counts[name]);
  });

  it('shows the best there is: test, everything, validation, train', () => {
    const of = (...names: string[]) =>
      reportedSplit({
        models: [{ splits: Object.fromEntries(names.map(name => [name, {}])) }],
      } as unknown as EvaluationReport);
    expect([
      of('train', 'validation', 'test'),
      of('validation', 'all'),
      of('train', 'validation'),
      of('train'),
      of(),
    ]).toEqual([...['test', 'all', 'validation', 'train', 'all']]);
  });
});

describe('a report of three models', () => {
  it('compares every pair once, a minus b', async () => {
    const models = [await replay(moved(1), {}, 'a'), await replay(moved(3), {}, 'b'), await replay(moved(6), {}, 'c')];
    const { report, text, html } = await written({ models });
    expect(report.comparisons.map(({ a, b }) => a + b)).toEqual(['ab', 'ac', 'bc']);
    for (const { a, b, iou, dice } of report.comparisons) {
      const [of, other] = [a, b].map(name => report.models.find(model => model.name === name)!.splits.all!) as [
        typeof all,
        typeof all,
      ];
      expect(iou.value).toBeCloseTo(of.iou.micro.value - other.iou.micro.value, 12);
      expect(dice.value).toBeCloseTo(of.dice.micro.value - other.dice.micro.value, 12);
    }
    const all = report.models[0]!.splits.all!;
    expect(text).toContain('a − b');
    expect(html).toContain(`<p class="lead"><b>a</b>: IoU <b>${all.iou.micro.value.toFixed(3)}</b>`);
    expect(text).toContain('Compared with 2 other models, none of which has a higher IoU.');
  });

  it('is about the model that was asked about, also where another one is better', async () => {
    const models = [await replay(moved(6), {}, 'asked'), await replay(moved(1), {}, 'better')];
    const { html, text } = await written({ models });
    expect(html).toContain('<p class="lead"><b>asked</b>: IoU');
    expect(text).toContain('Compared with 1 other model, better of which has a higher IoU.');
  });

  it('hides no curve behind another: of equal ones the first is the wider', async () => {
    const same = { probabilities: true };
    const { html } = await written({ models: [await replay(moved(2), same, 'a'), await replay(moved(2), same, 'b')] });
    const curves = /aria-label="Precision against recall">(.*?)<\/svg>/s.exec(html)![1]!;
    const drawn = [...curves.matchAll(/<path d="(M[^"]+)" fill="none" stroke="([^"]+)" stroke-width="([^"]+)"/g)];
    const [first, second] = drawn;
    expect(drawn).toHaveLength(2);
    expect(first![1]).toBe(second![1]);
    expect(first![2]).not.toBe(second![2]);
    expect(Number(first![3])).toBeGreaterThan(2 * Number(second![3]));
  });
});

describe('what a reader must know before the numbers', () => {
  it('is said in a banner where the model saw the set, and only there', async () => {
    const one = await replay(moved(2));
    const items = [...one.evaluation.slides.values()].map(({ item }) => item.imagePath);
    const seen = new Set(
      await Promise.all(
        items.slice(0, 2).map(async path =>
          createHash('sha256')
            .update(await readFile(path))
            .digest('hex'),
        ),
      ),
    );
    const { report, html } = await written({ models: [{ ...one, seen }] });
    expect(report.models[0]!.seen).toEqual({ by: 'content', images: 2, of: 5 });
    expect(html).toMatch(/role="note">2 of these 5 images were used to make one\. Scores on them say nothing/);
    const without = await written({ models: [await replay(moved(2))] });
    expect(without.html).not.toContain('role="note"');
  });

  it('is that patients are unknown, in the head, the intervals and the plot', async () => {
    const one = await replay(moved(2));
    for (const { item } of one.evaluation.slides.values()) Object.assign(item, { patientUnknown: true });
    const { text, html, report } = await written({ models: [one] });
    expect(report.set.unknownPatients).toBe(5);
    expect(text).toContain('5 images, patients unknown, ');
    expect(text).toContain('images drawn with replacement, since no name tells a patient');
    expect(html).toContain('<h2>Image by image</h2>');
    expect(text).not.toMatch(/of \d+ patients?/);
  });

  it('is what boundary F1 measures, in pixels and in µm', async () => {
    const { text } = await written({ models: [await replay(moved(2))] });
    expect(text).toContain('within 2 or 5 px (1.0 µm, 2.5 µm) of the other');
  });
});

describe('writeReport', () => {
  it('says that its folder cannot be made, naming it', async () => {
    const taken = join(folder, 'taken');
    await writeFile(taken, '');
    const models = [await replay(moved(1))];
    await expect(writeReport(taken, { ...OPEN, set, models, resamples: 10, examples: 0 })).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining(taken),
    });
  });
});
