import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LabelReport } from '#src/evaluate/check.js';
import { makeSplit, readSplit, writeSplit } from '#src/evaluate/split.js';
import { writeImage, writeMask } from '../evaluate/set-builder.js';
import { runCli, startCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const TIGER = new URL('../fixtures/tiger', import.meta.url).pathname;

async function pairs(names: readonly string[]): Promise<string> {
  const folder = await emptyFolder();
  for (const [index, name] of names.entries()) {
    await writeImage(join(folder, 'images', `${name}.png`), 100 + index, 80);
    await writeMask(join(folder, 'masks', `${name}.png`), 100 + index, 80, x => (x < 50 ? 1 : 0));
  }
  return folder;
}

describe('labels check', () => {
  it('prints the map and the balance of a sound set, and exits with 0', async () => {
    const { status, stdout, stderr } = await runCli(['labels', 'check', TIGER]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain('  6  positive  inflamed stroma');
    expect(stdout).toMatch(/0\.500 µm\/px {2}5 images/);
    expect(stdout.trimEnd()).toMatch(/0 faults, 0 warnings$/);
  });

  it('names ten planted faults, a line each, and exits with 1', async () => {
    const names = ['p1_a', 'p1_b', 'p2_a', 'p3_a', 'p4_a', 'p5_a', 'p6_a', 'p7_a', 'p8_[0, 0, 50, 50]', 'p9_a'];
    const set = await pairs(names);
    const [image, mask] = [(name: string) => join(set, 'images', name), (name: string) => join(set, 'masks', name)];
    await rm(mask('p2_a.png'));
    await rm(image('p3_a.png'));
    await writeMask(mask('p4_a.png'), 40, 40, () => 1);
    await writeMask(mask('p5_a.png'), 105, 80, () => 200);
    await writeFile(image('p6_a.png'), (await readFile(image('p6_a.png'))).subarray(0, 900));
    const damaged = await readFile(image('p7_a.png'));
    await writeFile(image('p7_a.png'), damaged.fill(0, damaged.length >> 1, (damaged.length >> 1) + 60));
    await writeFile(mask('p9_a.png'), 'no picture');
    await cp(image('p1_a.png'), image('q1_a.png'));
    await cp(mask('p1_a.png'), mask('q1_a.png'));
    const split = join(set, 'split.json');
    const grid = { cols: 1, rows: 1 };
    const made = makeSplit(
      ['p1_a', 'p1_b', 'q1_a'].map(id => ({ id, patient: id.slice(0, 2), ...grid })),
      { by: 'patient', seed: 1, spacing: 0.5, patchSize: 512 },
    );
    await writeSplit(split, {
      ...made,
      images: {
        p1_a: { patient: 'p1', split: 'train' },
        p1_b: { patient: 'p1', split: 'test' },
        q1_a: { patient: 'q1', split: 'test' },
      },
    });
    const options = ['--positive', '1', '--negative', '0', '--mpp', '0.5', '--patient', '^(..)_', '--split', split];
    const { status, stdout } = await runCli(['labels', 'check', set, ...options]);
    expect(status).toBe(1);
    const faults = stdout.split('\n').filter(line => line.startsWith('fault'));
    for (const planted of [
      /p2_a\.png: it has no mask/,
      /p3_a\.png: it has no image/,
      /p4_a\.png: it has 40 × 40 pixels/,
      /p5_a\.png: label value 200 is not declared/,
      /images\/p6_a\.png/,
      /images\/p7_a\.png/,
      /its name says 50 × 50/,
      /masks\/p9_a\.png/,
      /p1_[ab].*(train|test).*(train|test)|patient p1.*(train|test)/,
      /q1_a.*p1_a|p1_a.*q1_a/,
    ]) {
      expect(faults.filter(line => planted.test(line)).length, String(planted)).toBeGreaterThan(0);
    }

    const { stdout: json, status: same } = await runCli(['labels', 'check', set, ...options, '--json']);
    expect(same).toBe(1);
    const report = JSON.parse(json) as LabelReport;
    expect(report.findings.filter(({ severity }) => severity === 'fault')).toHaveLength(faults.length);
  });

  it('says in one line when there is nothing to check', async () => {
    const { status, stderr } = await runCli(['labels', 'check', await emptyFolder()]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^stromaflow: [^\n]+no labelled images were found \[LABELS_INVALID\] [^\n]+\n$/);
  });
});

describe('labels split', () => {
  it('writes the same file for the same seed, patients whole, and replay reads it', async () => {
    const set = await pairs(['p1_a', 'p1_b', 'p2_a', 'p3_a', 'p4_a']);
    const [first, second, third] = ['1.json', '2.json', '3.json'].map(name => join(set, name)) as [
      string,
      string,
      string,
    ];
    const args = [
      'labels',
      'split',
      set,
      '--positive',
      '1',
      '--mpp',
      '0.5',
      '--patient',
      '^(p.)_',
      '--split',
      'patient',
    ];
    const { status, stdout } = await runCli([...args, '--seed', '7', '--out', first]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^train +\d images of \d patients$/m);
    await runCli([...args, '--seed', '7', '--out', second]);
    await runCli([...args, '--seed', '8', '--out', third]);
    const split = await readSplit(first);
    expect(split).toMatchObject({ by: 'patient', seed: 7, spacing: 0.5, patchSize: 512 });
    expect(split.images['p1_a']).toEqual(split.images['p1_b']);
    expect(await readFile(second, 'utf8')).toBe(await readFile(first, 'utf8'));
    expect(await readFile(third, 'utf8')).not.toBe(await readFile(first, 'utf8'));
    const replayed = await runCli([
      ...['replay', set, '--positive', '1', '--mpp', '0.5', '--split', first],
      ...['--engine', 'null', '--keep-empty', '--out', await emptyFolder()],
    ]);
    expect(replayed.stdout).toContain('split      by patient, seed 7');
  });

  it('by patch deals out the patches of the grid that is replayed', async () => {
    const set = await pairs(['a', 'b']);
    const out = await emptyFolder();
    const options = ['--positive', '1', '--mpp', '0.5', '--patch-size', '64', '--margin', '16', '--split', 'patch'];
    const { status, stdout } = await runCli(['labels', 'split', set, ...options, '--out', out]);
    expect(status).toBe(0);
    const { images, patchSize } = await readSplit(join(out, 'split.json'));
    expect(patchSize).toBe(64);
    // Cores of 32 px: 100 × 80 and 101 × 80 pixels are 4 × 3 patches each.
    expect(Object.values(images).map(({ cols, patches }) => [cols, patches?.length])).toEqual([
      [4, 12],
      [4, 12],
    ]);
    expect(stdout).toMatch(/^train +19 patches of 2 images of 2 patients$/m);
  });

  it('gives each part the share that is asked for', async () => {
    const set = await pairs(['a', 'b', 'c', 'd']);
    const out = join(set, 'half.json');
    const args = ['labels', 'split', set, '--positive', '1', '--mpp', '0.5', '--out', out];
    const { status, stdout } = await runCli([...args, '--fractions', '0.5,0,0.5']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^train +2 images of 2 patients\nvalidation +0 images of 0 patients\ntest +2 images of 2/m);
    expect(await readSplit(out)).toMatchObject({ fractions: { train: 0.5, validation: 0, test: 0.5 } });
    const wrong = await runCli([...args, '--fractions', '0.5,0.6']);
    expect(wrong).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--fractions: '0\.5,0\.6' .*\[CONFIG_INVALID\]/),
    });
  });

  it('refuses another way of splitting, and a command that is none', async () => {
    const wrong = await runCli(['labels', 'split', TIGER, '--split', 'coin']);
    expect(wrong.stderr).toMatch(/--split is coin; a set is split by patch or by patient \[USAGE\]/);
    expect(wrong.status).toBe(2);
    expect((await runCli(['labels', 'mend', TIGER])).stderr).toMatch(/unknown command 'mend' \[USAGE\]/);
    expect((await runCli(['labels'])).stderr).toMatch(/labels needs one of check, split behind it \[USAGE\]/);
  });
});

describe('segment with labels', () => {
  const square = (side: number, name = 'stroma') => ({
    type: 'Feature',
    properties: { classification: { name } },
    geometry: {
      type: 'Polygon',
      coordinates: [
        [
          [0, 0],
          [side, 0],
          [side, side],
          [0, side],
          [0, 0],
        ],
      ],
    },
  });
  /** Of 512 pixels with the usual margin of 32: the slide is 2220 × 2967. */
  const PATCHES = Math.ceil(2220 / 448) * Math.ceil(2967 / 448);
  const NULL = ['--engine', 'null', '--keep-empty', '--json'];
  const iouOf = (stdout: string) => JSON.parse(stdout.trimEnd().split('\n').at(-1)!).iou;

  it('has the IoU in the aggregates: pixels of mask and truth, counted exactly', async () => {
    const folder = await emptyFolder();
    const labels = join(folder, 'any-name.geojson');
    await writeFile(labels, JSON.stringify(square(1024)));
    const args = ['segment', SLIDE, ...NULL, '--positive', 'stroma'];
    const { status, stdout, stderr } = await runCli([...args, '--labels', labels, '--out', join(folder, 'out')]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const iou = iouOf(stdout);
    expect(iou.value).toBeCloseTo(iou.intersection / iou.union, 12);
    const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
    expect(iou.labelledPatches).toBe(summary.patches.expected);
    // |A ∪ B| = |A| + |B| − |A ∩ B|, B the square of 1024 × 1024 pixels.
    const predicted = Math.round(summary.area.stromaMm2 / (summary.mpp / 1000) ** 2);
    expect(iou.union).toBe(predicted + 1024 * 1024 - iou.intersection);
  });

  it('finds truths beside slides once somebody says what is positive, in a folder by name, and goes on without', async () => {
    const folder = await emptyFolder();
    await cp(SLIDE, join(folder, 'a.svs'));
    await cp(SLIDE, join(folder, 'b.svs'));
    await writeFile(join(folder, 'a.geojson'), JSON.stringify(square(512)));
    const slides = ['a.svs', 'b.svs'].map(name => join(folder, name));
    const out = await emptyFolder();
    const summaryOf = async (run: string, id: string) =>
      JSON.parse(await readFile(join(out, run, id, 'summary.json'), 'utf8'));
    const unasked = await runCli(['segment', ...slides, ...NULL, '--out', join(out, 'unasked')]);
    expect(unasked.status).toBe(0);
    expect((await summaryOf('unasked', 'a')).iou).toBeUndefined();
    const asked = await runCli(['segment', ...slides, ...NULL, '--positive', 'stroma', '--out', join(out, 'asked')]);
    expect(asked).toMatchObject({ status: 0, stderr: '' });
    expect((await summaryOf('asked', 'a')).iou.labelledPatches).toBe(PATCHES);
    expect((await summaryOf('asked', 'b')).iou).toBeUndefined();

    const truths = await emptyFolder();
    await writeFile(join(truths, 'b.geojson'), JSON.stringify(square(512)));
    await writeFile(join(truths, 'a.xml'), '<not><annotations>');
    const options = ['--positive', 'stroma', '--labels', truths];
    const elsewhere = await runCli(['segment', ...slides, ...NULL, ...options, '--out', join(out, 'elsewhere')]);
    expect(elsewhere.status).toBe(0);
    expect(elsewhere.stderr).toMatch(/^stromaflow: a: without IoU: [^\n]*a\.xml[^\n]*\[LABELS_INVALID\][^\n]*\n$/);
    expect((await summaryOf('elsewhere', 'b')).iou.labelledPatches).toBe(PATCHES);
    const strict = await runCli(['segment', ...slides, ...NULL, ...options, '--strict', '--out', join(out, 'strict')]);
    expect(strict.status).toBe(1);
    expect(strict.stderr).toMatch(/a\.xml[^\n]*\[LABELS_INVALID\]/);
  });

  it.each([
    [['--labels', '/nowhere.xml', '--positive', 'x'], /nowhere\.xml: no such file or folder \[FILE_NOT_FOUND\]/],
    [['--labels', TIGER], /no label value is declared positive \[CONFIG_INVALID\]/],
  ])('refuses %j', async (options, message) => {
    const { status, stderr } = await runCli(['segment', SLIDE, ...NULL, ...options, '--out', await emptyFolder()]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });

  it('takes labels while it watches', async () => {
    const folder = await emptyFolder();
    await cp(SLIDE, join(folder, 'case.svs'));
    const truth = join(await emptyFolder(), 'case.geojson');
    await writeFile(truth, JSON.stringify(square(1024)));
    const out = await emptyFolder();
    const options = ['--labels', truth, '--positive', 'stroma', '--port', '0', '--poll', '0.1'];
    const running = startCli(['watch', folder, '--engine', 'null', '--keep-empty', ...options, '--out', out]);
    await running.printed('case: stroma');
    running.process.kill('SIGINT');
    expect((await running.finished).status).toBe(130);
    const { iou } = JSON.parse(await readFile(join(out, 'case', 'summary.json'), 'utf8'));
    expect(iou.labelledPatches).toBe(PATCHES);
    expect(iou.union).toBeGreaterThanOrEqual(1024 * 1024);
  });
});
