import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { EvaluationReport } from '#src/evaluate/metrics.js';
import { writeImage, writeMask } from '../evaluate/set-builder.js';
import { runCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';
import { requireBinary } from '../support/require-binary.js';

const TIGER = new URL('../fixtures/tiger', import.meta.url).pathname;
const NULL = ['--engine', 'null', '--keep-empty', '--patch-size', '64'];

const metricsOf = async (folder: string): Promise<EvaluationReport> =>
  JSON.parse(await readFile(join(folder, 'metrics.json'), 'utf8'));

/** images/ and masks/ of `names`, 100 × 80 px, label 1 left of x = 50, 0 right of it. */
async function pairs(names: readonly string[], width = 100): Promise<string> {
  const folder = await emptyFolder();
  for (const name of names) {
    await writeImage(join(folder, 'images', `${name}.png`), width, 80);
    await writeMask(join(folder, 'masks', `${name}.png`), width, 80, x => (x < width / 2 ? 1 : 0));
  }
  return folder;
}

describe('replay of TIGER', () => {
  let out: string;
  let stdout: string;
  beforeAll(async () => {
    out = await emptyFolder();
    const run = await runCli(['replay', TIGER, ...NULL, '--out', out]);
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
    stdout = run.stdout;
  });

  it('needs no label options, and writes the report, its numbers and its rows', async () => {
    expect(stdout).toContain('  2  positive  tumor-associated stroma');
    expect(stdout).toContain(join(out, 'report.html'));
    expect((await readdir(out)).sort()).toEqual(['metrics.json', 'patches.csv', 'report.html']);
    const { set, models, protocol } = await metricsOf(out);
    expect(set).toMatchObject({ layout: 'tiger', images: 5, patients: 4, faults: [] });
    expect(protocol).toMatchObject({ spacing: 0.5, patchSize: 64 });
    const { counts, patches, tiger, probability } = models[0]!.splits.all!;
    const images = models[0]!.images.reduce((sum, image) => sum + image.counts.tp + image.counts.fn, 0);
    expect(counts.tp + counts.fn).toBe(images);
    expect(tiger!.stroma).toBeCloseTo((2 * counts.tp) / (2 * counts.tp + counts.fp + counts.fn), 12);
    expect(probability!.averagePrecision.value).toBeGreaterThan(0);
    const rows = (await readFile(join(out, 'patches.csv'), 'utf8')).trimEnd().split('\n');
    expect(rows).toHaveLength(patches.scored + 1);
  });

  it('has probabilities that give the mask at its threshold', async () => {
    const { counts, probability } = (await metricsOf(out)).models[0]!.splits.all!;
    const half = probability!.curve.find(({ threshold }) => threshold > 0.5)!;
    expect(half.recall).toBeCloseTo(counts.tp / (counts.tp + counts.fn), 12);
    expect(half.precision).toBeCloseTo(counts.tp / (counts.tp + counts.fp), 12);
  });

  it('gives no bundle the scores of the null engine', async () => {
    expect((await metricsOf(out)).models[0]!.name).toBe('null engine (dark pixels)');
  });

  it('makes a report that Chromium opens without a request or an error', async () => {
    const browser = await chromium.launch({
      executablePath: requireBinary('chromium', 'on Debian: apt-get install chromium'),
      args: ['--no-sandbox'],
    });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('console', message => wrong.push(message.text()));
    page.on('pageerror', error => wrong.push(String(error)));
    page.on('request', request => {
      if (!request.url().startsWith('data:')) wrong.push(request.url());
    });
    const url = pathToFileURL(join(out, 'report.html')).href;
    await page.goto(url);
    expect(wrong).toEqual([url]);
    expect(await page.locator('h2').allTextContents()).toContain('Probabilities');
  });

  it('prints metrics.json as the last line under --json', async () => {
    const run = await runCli(['replay', TIGER, ...NULL, '--out', out, '--json']);
    const last = run.stdout.trimEnd().split('\n').at(-1)!;
    expect(JSON.parse(last)).toEqual(await metricsOf(out));
  });
});

describe('replay of models', () => {
  it('compares them pairwise on the same patches, and tells two versions of one name apart', async () => {
    const set = await pairs(['a', 'b', 'c']);
    const first = await makeBundle({ config: SMALL });
    const second = await makeBundle({ config: SMALL, manifest: { threshold: 0.45, spacing: 0.51 } });
    const third = await makeBundle({ config: { ...SMALL, encoder_name: 'resnet34' }, manifest: { name: 'third' } });
    const out = await emptyFolder();
    const args = ['replay', set, '--positive', '1', '--mpp', '0.5', '--keep-empty', '--engine', 'cpu', '--out', out];
    const run = await runCli([...args, '--model', first, '--compare', `${second}, ${third}`], {
      XDG_CACHE_HOME: await emptyFolder(),
    });
    expect(run.stderr).toBe('');
    const report = await metricsOf(out);
    expect(report.models.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^formula 1\.0\.0\+[0-9a-f]{8}$/),
      expect.stringMatching(/^formula 1\.0\.0\+[0-9a-f]{8}$/),
      expect.stringMatching(/^third 1\.0\.0\+/),
    ]);
    expect(report.models.map(({ encoder }) => encoder)).toEqual(['resnet18', 'resnet18', 'resnet34']);
    expect(report.comparisons).toHaveLength(3);
    const pixels = report.models.map(({ splits }) => Object.values(splits.all!.counts).reduce((a, b) => a + b));
    expect(pixels).toEqual([3 * 8000, 3 * 8000, 3 * 8000]);
    expect(run.stdout.match(/^compared /gm)).toHaveLength(3);
    expect(run.stdout.match(/^ {2}precision {3}[+−]/gm)).toHaveLength(3);
    expect(run.stdout.match(/^engine /gm)).toHaveLength(3);
  });

  it('made for another spacing are not compared unless it is said at which', async () => {
    const other = await makeBundle({ config: SMALL, manifest: { name: 'coarse', spacing: 1 } });
    const first = await makeBundle({ config: SMALL });
    const run = await runCli(['replay', TIGER, '--model', first, '--compare', other, '--out', await emptyFolder()]);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/coarse is made for 1 µm\/px, the others for 0.5 \[USAGE\].*--spacing/);
  });

  it("take a bundle's label map where the set and the command line have none", async () => {
    const labels = [
      { value: 0, name: 'stroma', meaning: 'positive' },
      { value: 1, name: 'rest', meaning: 'negative' },
    ];
    const model = await makeBundle({ config: SMALL, manifest: { labels } });
    const set = await pairs(['a']);
    const out = await emptyFolder();
    const args = ['replay', set, '--mpp', '0.5', '--model', model, ...NULL, '--out', out];
    const run = await runCli(args);
    expect(run.status).toBe(0);
    expect((await metricsOf(out)).set.labels).toEqual(labels);
    const counts = (await metricsOf(out)).models[0]!.splits.all!.counts;
    expect(counts.tp + counts.fn).toBe(4000);
    const asked = await runCli([...args, '--positive', '1', '--negative', '0']);
    expect(asked.stdout).toContain('  1  positive  rest');
  });
});

describe('compare', () => {
  const replayed = async (set: string, ...options: string[]) => {
    const out = await emptyFolder();
    const run = await runCli(['replay', set, '--positive', '1', '--mpp', '0.5', ...NULL, ...options, '--out', out]);
    expect(run.stderr).toBe('');
    return out;
  };

  it('gives paired differences of replays that were cut otherwise, and says how they were', async () => {
    const set = await pairs(['a', 'b', 'c']);
    const [first, second] = [await replayed(set), await replayed(set, '--patch-size', '128', '--margin', '32')];
    const run = await runCli(['compare', first, second, join(second, 'metrics.json')]);
    expect(run.status).toBe(0);
    const lines = run.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2 * 8);
    expect(lines[0]).toMatch(/^\S+ − \S+: 3 images, patients unknown$/);
    expect(lines[1]).toBe('  patches of 128 px, not 64 px; margin 32 px, not 0 px');
    expect(lines[2]).toMatch(/^ {2}IoU {9}[+−]0\.\d{4} \([+−]0\.\d{4} to [+−]0\.\d{4}\), p /);
    expect(lines[7]).toMatch(/^ {2}seam score {2}[+−]0\.\d{4}/);
    const json = await runCli(['compare', first, second, '--json']);
    const [told] = JSON.parse(json.stdout);
    expect(told).toMatchObject({ images: 3, units: 3, unit: 'image', onlyA: 0, onlyB: 0 });
    const [a, b] = [await metricsOf(second), await metricsOf(first)].map(({ models }) => models[0]!.splits.all!);
    expect(told.precision.value).toBeCloseTo(a!.precision.value - b!.precision.value, 12);
  });

  it('refuses what cannot be compared in one line', async () => {
    const [first, other] = [await replayed(await pairs(['a'])), await replayed(await pairs(['b']))];
    const unlike = await runCli(['compare', first, other]);
    expect(unlike).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/share no image \[USAGE\]/) });
    const nowhere = await runCli(['compare', first, join(first, 'none')]);
    expect(nowhere.stderr).toMatch(/none: it cannot be read \[FILE_NOT_FOUND\] name the folder/);
    const alone = await runCli(['compare', first]);
    expect(alone).toMatchObject({ status: 2, stderr: expect.stringMatching(/others/) });
  });
});

describe('replay of a split', () => {
  it('by patient keeps patients together, is written beside the report, and chooses the threshold on validation', async () => {
    const names = ['p1', 'p2', 'p3', 'p4', 'p5'].flatMap(patient => [`${patient}_a`, `${patient}_b`]);
    const set = await pairs(names);
    const out = await emptyFolder();
    const args = ['replay', set, '--positive', '1', '--mpp', '0.5', ...NULL, '--patient', '^(p[0-9])_'];
    const run = await runCli([...args, '--split', 'patient', '--seed', '3', '--out', out]);
    expect(run.status).toBe(0);
    const split = JSON.parse(await readFile(join(out, 'split.json'), 'utf8'));
    expect(split).toMatchObject({ by: 'patient', seed: 3, patchSize: 64 });
    for (const name of names) {
      expect(split.images[name].patient).toBe(name.slice(0, 2));
      expect(split.images[name].split).toBe(split.images[`${name.slice(0, 2)}_a`].split);
    }
    const { models, protocol } = await metricsOf(out);
    expect(protocol.split).toEqual({ by: 'patient', seed: 3 });
    expect(protocol.bootstrap.seed).toBe(3);
    expect(Object.keys(models[0]!.splits).sort()).toEqual(['test', 'train', 'validation']);
    expect(models[0]!.chosenThreshold).toMatchObject({ chosenOn: 'validation' });
    expect(run.stdout).toMatch(/on the test split: IoU/);

    const again = await emptyFolder();
    const same = await runCli([...args, '--split', join(out, 'split.json'), '--seed', '3', '--out', again]);
    expect(same.status).toBe(0);
    expect((await metricsOf(again)).models[0]!.splits).toEqual(models[0]!.splits);
    expect(await readdir(again)).not.toContain('split.json');

    const alone = await emptyFolder();
    const short = ['--split', join(out, 'split.json'), '--seed', '3', '--part', 'test'];
    expect((await runCli([...args, ...short, '--out', alone])).stdout).toContain('seed 3, test alone');
    const [model] = (await metricsOf(alone)).models;
    expect(model!.splits).toEqual({ test: models[0]!.splits.test });
    expect(model!.images).toHaveLength(models[0]!.splits.test!.images);
    const unsplit = await runCli([...args, '--part', 'test', '--out', alone]);
    expect(unsplit).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--part test needs a --split .*\[USAGE\]/),
    });
    const byPatch = await runCli([...args, '--part', 'test', '--split', 'patch', '--out', alone]);
    expect(byPatch.stderr).toMatch(/a split by patch has patches of test in every image \[USAGE\]/);
  });
});

describe('replay of a set with faults', () => {
  const faulty = async (): Promise<string> => {
    const set = await pairs(['good', 'larger', 'odd', 'lonely', 'broken']);
    await writeMask(join(set, 'masks', 'larger.png'), 120, 80, () => 1);
    await writeMask(join(set, 'masks', 'odd.png'), 100, 80, x => (x < 4 ? 9 : 1));
    await rm(join(set, 'masks', 'lonely.png'));
    const bytes = await readFile(join(set, 'images', 'broken.png'));
    // Damaged in the middle: its header and its end are whole.
    bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 60);
    await writeFile(join(set, 'images', 'broken.png'), bytes);
    return set;
  };

  it('names each in one line, goes on, and says so in the report and the status', async () => {
    const out = await emptyFolder();
    const set = await faulty();
    const args = ['replay', set, '--positive', '1', '--negative', '0', '--mpp', '0.5', ...NULL, '--out', out];
    const { status, stderr } = await runCli([...args, '--split', 'patch']);
    expect(status).toBe(1);
    for (const line of [
      /larger.png: it has 120 × 80 pixels of an unknown spacing, its image 100 × 80 of 0\.5 µm \[LABELS_INVALID\]/,
      /odd.png: label value 9 is not declared \[LABELS_INVALID\]/,
      /lonely.png: it has no mask \[LABELS_INVALID\]/,
      /broken.png: .*patches could not be segmented/,
    ]) {
      expect(stderr.match(new RegExp(line, 'g')), String(line)).toHaveLength(1);
    }
    const { set: facts, models } = await metricsOf(out);
    expect(facts.faults).toHaveLength(4);
    expect(new Set(models[0]!.images.map(({ image }) => image))).toEqual(new Set(['good']));
  });

  it('stops at the first under --strict, without a report', async () => {
    const out = await emptyFolder();
    const args = ['replay', await faulty(), '--positive', '1', '--negative', '0', '--mpp', '0.5', ...NULL, '--strict'];
    const { status, stderr } = await runCli([...args, '--out', out]);
    expect(status).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/LABELS_INVALID/);
    expect(await readdir(out)).toEqual([]);
  });

  it.each([
    [['--positive', '1', '--patient', '('], /--patient: '\(' is no regular expression \[CONFIG_INVALID\]/],
    [['--positive', 'x'], /--positive: 'x' is no label value/],
    [[], /no label value is declared positive \[CONFIG_INVALID\].*--positive/],
    [['--positive', '1', '--split', '/nowhere.json'], /nowhere.json: the split file cannot be read \[FILE_NOT_FOUND\]/],
  ])('refuses %j in one line', async (options, message) => {
    const set = await pairs(['a']);
    const out = await emptyFolder();
    const { status, stderr } = await runCli(['replay', set, '--mpp', '0.5', ...NULL, '--out', out, ...options]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('replay of one image with its truth', () => {
  it('takes the file as the set', async () => {
    const set = await pairs(['a']);
    const elsewhere = await emptyFolder();
    await mkdir(join(elsewhere, 'truth'));
    await cp(join(set, 'masks', 'a.png'), join(elsewhere, 'truth', 'of-a.png'));
    const out = await emptyFolder();
    const options = ['--labels', join(elsewhere, 'truth', 'of-a.png'), '--positive', '1', '--mpp', '0.5', ...NULL];
    const { status } = await runCli(['replay', join(set, 'images', 'a.png'), ...options, '--out', out]);
    expect(status).toBe(0);
    const { counts } = (await metricsOf(out)).models[0]!.splits.all!;
    expect(counts.tp + counts.fn).toBe(4000);
    expect(counts.fp + counts.tn).toBe(4000);
  });
});
