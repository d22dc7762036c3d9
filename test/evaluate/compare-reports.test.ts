import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareModels } from '#src/evaluate/compare.js';
import { compareReports } from '#src/evaluate/compare-reports.js';
import type { EvaluationReport } from '#src/evaluate/metrics.js';
import { PatchSpool } from '#src/evaluate/patch-spool.js';
import { readReport } from '#src/evaluate/read-report.js';
import { writeReport } from '#src/evaluate/write-report.js';
import { emptyFolder } from '../support/paths.js';
import { moved, OPEN, openTiger, type Predict, walkSet } from './replayed-fixture.js';

const OPTIONS = { seed: 3, resamples: 200 };
const facts = (name: string, version = '1') => ({ name, version, architecture: '', encoder: '', threshold: 0.5 });

/** A replay's report, written and read again. */
async function reportOf(predict: Predict, names: readonly string[] = ['m'], version = '1'): Promise<EvaluationReport> {
  const folder = await emptyFolder();
  const set = await openTiger();
  const models = [];
  for (const name of names) {
    const spool = new PatchSpool(join(folder, `.spool-${name}`));
    models.push({ facts: facts(name, version), evaluation: await walkSet(set, { sink: spool }, predict), spool });
  }
  await writeReport(folder, { ...OPEN, set, models, examples: 0 });
  return readReport(folder);
}

const [near, far] = await Promise.all([reportOf(moved(1)), reportOf(moved(6), ['m'], '2')]);
const changed = (report: EvaluationReport, change: (copy: EvaluationReport) => void): EvaluationReport => {
  const copy = structuredClone(report);
  change(copy);
  return copy;
};
type Writable<T> = { -readonly [K in keyof T]: T[K] extends object ? Writable<T[K]> : T[K] };
const edit = (report: EvaluationReport, change: (copy: Writable<EvaluationReport>) => void) =>
  changed(report, change as (copy: EvaluationReport) => void);
const named = (a: EvaluationReport, b: EvaluationReport) => [
  { name: 'first', report: a },
  { name: 'second', report: b },
];

describe('two reports', () => {
  it('give what comparing their evaluations gives, the later minus the first', async () => {
    const set = await openTiger();
    const [comparison] = compareModels(
      [
        { name: 'second', evaluation: await walkSet(set, {}, moved(6)) },
        { name: 'first', evaluation: await walkSet(set, {}, moved(1)) },
      ],
      OPTIONS,
    );
    const [found, ...others] = compareReports(named(near, far), OPTIONS);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ a: 'second', b: 'first', split: 'all', images: 5, onlyA: 0, onlyB: 0, units: 4 });
    expect(found).toMatchObject({ unit: 'patient', differs: ['model m 2, not m 1'] });
    for (const score of ['iou', 'dice', 'precision', 'recall'] as const) {
      expect(found![score]).toEqual(comparison![score]);
      expect(found![score].value).toBeLessThan(0);
    }
    for (const part of ['value', 'lower', 'upper', 'p'] as const) {
      expect(found!.areaError[part]).toBeCloseTo(comparison!.areaError[part], 9);
      expect(found!.seamScore![part]).toBeCloseTo(comparison!.seamScore![part], 9);
    }
    const [a, b] = [far, near].map(({ models }) => models[0]!);
    expect(found!.recall.value).toBeCloseTo(a!.splits.all!.recall.value - b!.splits.all!.recall.value, 12);
    expect(found!.areaError.value).toBeCloseTo(a!.splits.all!.areaError.value - b!.splits.all!.areaError.value, 9);
    expect(found!.seamScore!.value).toBeCloseTo(a!.seams!.score! - b!.seams!.score!, 12);
  });

  it('say how they were made differently', () => {
    const other = edit(near, ({ protocol }) => {
      Object.assign(protocol, { margin: 32, padding: 'mirror', patchSize: 768 });
    });
    expect(compareReports(named(near, other), OPTIONS)[0]!.differs).toEqual([
      'patches of 768 px, not 64 px',
      'margin 32 px, not 0 px',
      'padding mirror, not zero',
    ]);
    const [same] = compareReports(named(near, near), OPTIONS);
    expect(same!.differs).toEqual([]);
    expect(same!.iou).toEqual({ value: 0, lower: 0, upper: 0, p: 1 });
  });

  it('are compared on the images that both have', () => {
    const fewer = edit(far, ({ models }) => {
      models[0]!.images.splice(1, 2);
    });
    expect(compareReports(named(near, fewer), OPTIONS)[0]).toMatchObject({ images: 3, onlyA: 0, onlyB: 2 });
  });

  it('have no seam score where one of them counted none, and then compare the rest', () => {
    const older = edit(near, ({ models }) => {
      for (const image of models[0]!.images) delete image.seams;
    });
    const [found] = compareReports(named(older, far), OPTIONS);
    expect(found).not.toHaveProperty('seamScore');
    expect(found!.iou.value).toBeLessThan(0);
  });

  it('of several models are compared model by model, of one name each', async () => {
    const several = await reportOf(moved(3), ['x', 'm']);
    const pairs = compareReports(
      [
        { name: 'first', report: several },
        { name: 'second', report: several },
      ],
      OPTIONS,
    );
    expect(pairs.map(({ a, b }) => [a, b])).toEqual([
      ['second, x', 'first, x'],
      ['second, m', 'first, m'],
    ]);
    const none = edit(several, ({ models }) => {
      for (const model of models) model.name += '-other';
    });
    expect(() => compareReports(named(several, none), OPTIONS)).toThrow(/no model of one name/);
  });

  it.each<[string, (copy: Writable<EvaluationReport>) => void, RegExp]>([
    ['another spacing', ({ protocol }) => Object.assign(protocol, { spacing: 1 }), /score pixels of 1 and 0\.5 µm/],
    [
      'other images',
      ({ models }) => {
        for (const one of models[0]!.images) one.image += 'x';
      },
      /share no image/,
    ],
    [
      'another truth',
      ({ models }) => {
        models[0]!.images[0]!.counts.fn++;
      },
      /have \d+ and \d+ annotated pixels in TCGA/,
    ],
  ])('with %s are refused', (_, change, message) => {
    expect(() => compareReports(named(near, edit(far, change)), OPTIONS)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }),
    );
  });

  it('have to be two', () => {
    expect(() => compareReports([{ name: 'alone', report: near }], OPTIONS)).toThrow(/two reports or more/);
  });
});

describe('a report that is read', () => {
  it('may be named by its file', async () => {
    const folder = await emptyFolder();
    await writeFile(join(folder, 'kept.json'), JSON.stringify(near));
    expect(await readReport(join(folder, 'kept.json'))).toEqual(near);
  });

  it.each<[string, string, RegExp]>([
    ['no JSON', '{', /no JSON/],
    ['null', 'null', /its format is not/],
    ['another file', '{"format":"other"}', /its format is not stromaflow-evaluation\/1/],
    ['no protocol', '{"format":"stromaflow-evaluation/1"}', /its protocol has no spacing/],
    ['no models', '{"format":"stromaflow-evaluation/1","protocol":{"spacing":1},"models":[]}', /it has no models/],
  ])('is refused where it is %s', async (_, text, message) => {
    const folder = await emptyFolder();
    await writeFile(join(folder, 'metrics.json'), text);
    await expect(readReport(folder)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, (image: Record<string, unknown>) => void]>([
    ['no counts', image => delete image['counts']],
    ['counts that are none', image => Object.assign(image['counts'] as object, { tp: -1 })],
    ['no area', image => delete image['predictedArea']],
    ['seams that are none', image => Object.assign(image, { seams: { across: 3 } })],
  ])('is refused where an image has %s', async (_, change) => {
    const broken = edit(near, ({ models }) => change(models[0]!.images[2] as unknown as Record<string, unknown>));
    const folder = await emptyFolder();
    await writeFile(join(folder, 'metrics.json'), JSON.stringify(broken));
    await expect(readReport(folder)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });

  it('is looked for where it is said to be', async () => {
    const folder = join(await emptyFolder(), 'none');
    await expect(readReport(folder)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await mkdir(folder);
    await expect(readReport(folder)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});
