import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LabelReport } from '#src/evaluate/check.js';
import type { EvaluationReport } from '#src/evaluate/metrics.js';
import type { SlideSummary } from '#src/store/summary.js';
import { plain, writeTiff } from '../slide/tiff-writer.js';
import { runCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const square = (from: number, to: number, properties: object) => ({
  type: 'Feature',
  properties: { objectType: 'annotation', ...properties },
  geometry: {
    type: 'Polygon',
    coordinates: [
      [
        [from, from],
        [to, from],
        [to, to],
        [from, to],
        [from, from],
      ],
    ],
  },
});
const named = (...names: string[]) => ({ classification: names.length > 1 ? { names } : { name: names[0] } });

/** A slide's truth as QuPath writes it: 1024² of stroma, 200² of it ignored, and what says nothing. */
async function truth(): Promise<string> {
  const path = join(await emptyFolder(), 'truth.geojson');
  const features = [
    square(0, 1024, named('Stroma', 'Inflamed')),
    square(100, 300, named('Ignore*')),
    square(400, 500, {}),
    square(500, 600, { objectType: 'detection', ...named('Tumor') }),
    { ...square(0, 1, named('Tumor')), geometry: { type: 'Point', coordinates: [5, 5] } },
  ];
  await writeFile(path, JSON.stringify({ type: 'FeatureCollection', features }));
  return path;
}
const NULL = ['--engine', 'null', '--keep-empty'];

describe('a truth from QuPath', () => {
  it('is listed by labels check: each class, what it counts as, and what takes no part', async () => {
    const args = ['labels', 'check', SLIDE, '--labels', await truth(), '--positive', 'Stroma'];
    const { status, stdout, stderr } = await runCli(args);
    expect([status, stderr]).toEqual([0, '']);
    for (const line of [
      '  Stroma: Inflamed  positive, as Stroma  1 annotation\n',
      '  Ignore*           ignored  1 annotation\n',
      'left out\n  1 annotation without a class\n  1 annotation to be ignored\n  1 detection or cell\n  1 point or line, without an area\n',
      '0 faults, 0 warnings',
    ]) {
      expect(stdout).toContain(line);
    }
    const report = JSON.parse((await runCli([...args, '--json'])).stdout) as LabelReport;
    expect(report.annotations.leftOut).toEqual({ unclassified: 1, ignored: 1, detection: 1, 'no-area': 1 });
  });

  it('is scored by replay as QuPath means it, and what takes no part is in the report', async () => {
    const out = await emptyFolder();
    const options = ['--labels', await truth(), '--positive', 'Stroma', ...NULL, '--out', out];
    const { status, stdout } = await runCli(['replay', SLIDE, ...options]);
    expect(status).toBe(0);
    const without =
      '1 annotation without a class, 1 annotation to be ignored, 1 detection or cell, 1 point or line, without an area';
    expect(stdout).toContain(`labels     left out: ${without}\n`);
    const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as EvaluationReport;
    const { tp, fp, fn, tn } = metrics.models[0]!.splits.all!.counts;
    expect(tp + fn).toBe(1024 ** 2 - 200 ** 2);
    expect(tp + fp + fn + tn).toBe(2220 * 2967 - 200 ** 2);
    expect(metrics.set.truths).toMatchObject({ leftOut: { unclassified: 1, ignored: 1 }, notes: [] });
    const html = await readFile(join(out, 'report.html'), 'utf8');
    expect(html).toContain('Stroma: Inflamed  positive, as Stroma  1 annotation');
    expect(html).toContain(without);
  });

  it('whose class nobody declared is a fault that names it, not a number', async () => {
    const labels = await truth();
    const options = [
      '--labels',
      labels,
      '--positive',
      'Stroma: Inflamed',
      '--negative',
      'Tumor',
      '--labels-objects',
      'all',
    ];
    const fine = await runCli(['labels', 'check', SLIDE, ...options]);
    expect([fine.status, fine.stderr]).toEqual([0, '']);
    const wrong = [...options.slice(0, 4), '--negative', 'Vessel', '--labels-objects', 'all'];
    const check = await runCli(['labels', 'check', SLIDE, ...wrong]);
    expect(check.status).toBe(1);
    expect(check.stdout).toContain(`${labels}: class 'Tumor' is not declared, 1 of its annotations are left out`);
    const replayed = await runCli(['replay', SLIDE, ...wrong, ...NULL, '--out', await emptyFolder()]);
    expect(replayed.status).toBe(1);
    expect(replayed.stderr).toMatch(
      /truth\.geojson: class 'Tumor' is not declared, 1 of its annotations are left out \[LABELS_INVALID\]/,
    );
    expect(replayed.stderr).not.toMatch(/label value/);
  });

  it('counts nothing where the slide stores nothing: not missed, not found', async () => {
    const folder = await emptyFolder();
    const slide = join(folder, 'sparse.tif');
    const picture = { ...plain(512, 512, [30, 20, 30]) };
    // Of 64 tiles the upper left sixteen are stored nowhere, and one more in the middle of a patch.
    const missing = (col: number, row: number) => (col < 4 && row < 4) || (col === 6 && row === 6);
    await writeFile(slide, writeTiff([{ picture, tile: [64, 64], compression: 'lzw', resolution: 20_000, missing }]));
    const labels = join(folder, 'sparse.geojson');
    await writeFile(labels, JSON.stringify(square(0, 512, named('Stroma'))));
    const out = join(folder, 'out');
    const args = [
      'replay',
      slide,
      '--labels',
      labels,
      '--positive',
      'Stroma',
      '--patch-size',
      '256',
      '--spacing',
      '0.5',
    ];
    const { stderr } = await runCli([...args, ...NULL, '--out', out]);
    expect(stderr).toMatch(/sparse\.tif: 1 of 4 patches are not stored, and in no score/);
    const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as EvaluationReport;
    const { tp, fp, fn, tn } = metrics.models[0]!.splits.all!.counts;
    expect([tp + fn, fp + tn]).toEqual([512 * 512 - 256 * 256 - 64 * 64, 0]);
  });

  it('is named by segment for what is left out of it', async () => {
    const out = await emptyFolder();
    const options = ['--labels', await truth(), '--positive', 'Stroma', ...NULL, '--out', out];
    const { status, stdout } = await runCli(['segment', SLIDE, ...options]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /not in the result: labels: 1 annotation without a class, 1 detection or cell, 1 point or line/,
    );
    const [id] = ['CMU-1-Small-Region'];
    const summary = JSON.parse(await readFile(join(out, id!, 'summary.json'), 'utf8')) as SlideSummary;
    expect(summary.notes.filter(({ code }) => code === 'labels-left-out')).toHaveLength(1);
    expect(summary.iou!.union).toBeGreaterThanOrEqual(1024 ** 2 - 200 ** 2);
  });
});

describe('a mask that does not fit its slide', () => {
  it('is refused alike by labels check, replay and segment, with sizes and spacings', async () => {
    const folder = await emptyFolder();
    const labels = join(folder, 'mask.tif');
    await writeFile(labels, writeTiff([{ picture: plain(1000, 1000, [1]), compression: 'lzw' }]));
    const line = /mask\.tif: it has 1000 × 1000 pixels of an unknown spacing, its image 2220 × 2967 of 0\.499 µm/;
    const options = ['--labels', labels, '--positive', '1'];
    const check = await runCli(['labels', 'check', SLIDE, ...options]);
    expect([check.status, line.test(check.stdout)]).toEqual([1, true]);
    const replayed = await runCli(['replay', SLIDE, ...options, ...NULL, '--out', join(folder, 'replay')]);
    expect([replayed.status, line.test(replayed.stderr)]).toEqual([1, true]);
    const segmented = await runCli(['segment', SLIDE, ...options, ...NULL, '--out', join(folder, 'segment')]);
    expect([segmented.status, line.test(segmented.stderr)]).toEqual([1, true]);
    expect(segmented.stderr).toContain('[LABELS_INVALID]');

    // Beside the slide, where nobody named it, it costs the IoU and a line.
    await cp(SLIDE, join(folder, 'a.svs'));
    await cp(labels, join(folder, 'a_mask.tif'));
    const beside = await runCli([
      'segment',
      join(folder, 'a.svs'),
      '--positive',
      '1',
      ...NULL,
      '--out',
      join(folder, 'beside'),
    ]);
    expect([beside.status, /a: without IoU: [^\n]*a_mask\.tif: it has 1000 × 1000/.test(beside.stderr)]).toEqual([
      0,
      true,
    ]);
  });
});

describe('truths that are told and not read', () => {
  it('are refused by name', async () => {
    const labels = join(await emptyFolder(), 'cytomine.json');
    await writeFile(labels, JSON.stringify([{ location: 'POLYGON ((1 1, 2 2, 3 1, 1 1))', term: [3] }]));
    const { status, stderr } = await runCli([
      ...['segment', SLIDE, '--labels', labels, '--positive', '3'],
      ...[...NULL, '--out', await emptyFolder()],
    ]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /cytomine\.json: it is a Cytomine export, which is not read \[LABELS_INVALID\] [^\n]*image height − y/,
    );
  });
});
