import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import type { EvaluationReport } from '#src/evaluate/metrics.js';
import { PatchSpool } from '#src/evaluate/patch-spool.js';
import { type EvaluatedModel, writeReport } from '#src/evaluate/write-report.js';
import { requireBinary } from '../support/require-binary.js';
import { moved, OPEN, openTiger, walkSet } from './replayed-fixture.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
let report: EvaluationReport;
let html: string;
const spools: PatchSpool[] = [];

beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
  const set = await openTiger();
  const models: EvaluatedModel[] = [];
  for (const [name, architecture, shift] of [
    ['<b>one & only</b>', 'FPN', 2],
    ['=two', 'Unet', 7],
  ] as const) {
    const spool = new PatchSpool(join(folder, `spool-${shift}`));
    spools.push(spool);
    const evaluation = await walkSet(set, { probabilities: true, sink: spool }, moved(shift));
    const facts = { name, version: '1', architecture, encoder: 'resnet34', threshold: 0.5, provenance: 'made <up>' };
    models.push({ facts, evaluation, spool, seconds: 1 });
  }
  const faults = [new StromaflowError('LABELS_INVALID', '<img src=x onerror=alert(1)>.png: it has no mask')];
  report = await writeReport(join(folder, 'out'), { ...OPEN, set, models, faults, resamples: 100, examples: 2 });
  html = await readFile(join(folder, 'out', 'report.html'), 'utf8');
});
afterAll(() => remove());

/** The values at 'models[0].splits.all.iou.micro'; 'models[]' stands for all of them. */
function resolve(path: string): unknown[] {
  let at: unknown[] = [JSON.parse(JSON.stringify(report))];
  for (const part of path.split('.')) {
    const [, key, index] = /^([^[]*)(?:\[(\d*)\])?$/.exec(part)!;
    at = at.map(value => (value as Record<string, unknown>)[key!]);
    if (index !== undefined)
      at = at.flatMap(value => (index === '' ? (value as unknown[]) : [(value as unknown[])[Number(index)]]));
  }
  return at;
}

describe('metrics.json', () => {
  it('is the report, undefined numbers as null', async () => {
    const written = JSON.parse(await readFile(join(folder, 'out', 'metrics.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(report)));
    expect(written).toMatchObject({
      format: 'stromaflow-evaluation/1',
      set: { layout: 'tiger', images: 5, patients: 4 },
    });
    expect(report.models[0]!.splits.all!.iou.micro.value).toBeGreaterThan(
      report.models[1]!.splits.all!.iou.micro.value,
    );
  });
});

describe('patches.csv', () => {
  it('has a row for every scored patch and model, and its sums are the counts', async () => {
    const lines = (await readFile(join(folder, 'out', 'patches.csv'), 'utf8')).trimEnd().split('\n');
    const names = lines[0]!.split(',');
    const rows = lines.slice(1).map(line => line.split(','));
    expect(rows.every(row => row.length === names.length)).toBe(true);
    const own = rows.filter(row => row[0] === '<b>one & only</b>');
    expect(own).toHaveLength(report.models[0]!.splits.all!.patches.scored);
    for (const key of ['tp', 'fp', 'fn', 'tn'] as const) {
      const sum = own.reduce((total, row) => total + Number(row[names.indexOf(key)]), 0);
      expect(sum).toBe(report.models[0]!.splits.all!.counts[key]);
    }
    // A name that a spreadsheet would run is kept text.
    expect(rows.some(row => row[0] === "'=two")).toBe(true);
  });
});

describe('report.html', () => {
  it('names for each number and figure its place in metrics.json', () => {
    const sources = [...html.matchAll(/data-source="([^"]+)"/g)].map(match => match[1]!);
    expect(sources.length).toBeGreaterThan(40);
    for (const source of sources) {
      for (const value of resolve(source)) expect(value, source).toBeDefined();
    }
  });

  it('prints the numbers of metrics.json', () => {
    const { value, lower, upper } = report.models[0]!.splits.all!.iou.micro;
    const cell =
      /data-source="models\[0\]\.splits\.all\.iou\.micro">([\d.]+) <span class="ci">\(([\d.]+)–([\d.]+)\)/.exec(html)!;
    expect(cell.slice(1)).toEqual([value, lower, upper].map(number => number.toFixed(3)));
  });

  it('escapes what comes from files and bundles', () => {
    expect(html).not.toMatch(/<b>one|<img src=x|made <up>/);
    expect(html).toContain('&lt;b&gt;one &amp; only&lt;/b&gt;');
  });

  it('shows best, median, worst and disagreement, a picture for image, truth, mask and errors each', () => {
    expect(new Set(report.examples.map(example => example.why))).toEqual(
      new Set(['best', 'median', 'worst', 'disagreement']),
    );
    const pictures = html.match(/<img src="data:image\/jpeg;base64,[A-Za-z0-9+/=]{200,}"/g) ?? [];
    expect(pictures).toHaveLength(report.examples.length * 6);
    const means = (why: string) =>
      report.examples
        .filter(example => example.why === why)
        .map(({ iou }) => Object.values(iou).reduce((sum, value) => sum + value, 0) / 2);
    expect(Math.min(...means('best'))).toBeGreaterThan(Math.max(...means('worst')));
  });

  it('opens in Chromium with no console message, no script and no request', async () => {
    const browser = await chromium.launch({
      executablePath: requireBinary('chromium', 'on Debian: apt-get install chromium'),
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      const page = await browser.newPage();
      const messages: string[] = [];
      const requests: string[] = [];
      page.on('console', message => messages.push(message.text()));
      page.on('pageerror', error => messages.push(error.message));
      page.on('request', request => requests.push(request.url()));
      const url = pathToFileURL(join(folder, 'out', 'report.html')).href;
      await page.goto(url, { waitUntil: 'load' });
      expect(messages).toEqual([]);
      expect(requests.filter(request => !request.startsWith('data:'))).toEqual([url]);
      expect(await page.locator('script').count()).toBe(0);
      const broken = await page
        .locator('img')
        .evaluateAll(
          images => images.filter(image => (image as unknown as { naturalWidth: number }).naturalWidth === 0).length,
        );
      expect(broken).toBe(0);
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow).toBe(0);
    } finally {
      await browser.close();
    }
  });
});

describe('PatchSpool', () => {
  it('takes patches that come side by side', async () => {
    const spool = new PatchSpool(join(folder, 'busy'));
    const counts = { tp: 1, fp: 2, fn: 3, tn: 4 };
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        spool.append(
          `image-${i % 3}`,
          { col: i, row: 0, split: 'all', outcome: 'segmented', counts, boundary: [] },
          new Uint8Array(32_768).fill(i),
        ),
      ),
    );
    for (const image of spool.images) {
      const patches = await spool.read(image);
      expect(patches).toHaveLength(20);
      for (const { col, mask } of patches) expect(mask!.every(byte => byte === col)).toBe(true);
    }
  });

  it('gives masks back as they were, and leaves nothing behind', async () => {
    const [spool] = spools;
    const image = spool!.images[0]!;
    const patches = await spool!.read(image);
    expect(patches.map(({ row, col }) => [row, col])).toEqual(
      [...patches.map(({ row, col }) => [row, col])].sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!),
    );
    expect(patches[0]!.mask).toHaveLength((64 * 64) / 8);
    await spool!.remove();
    await expect(access(join(folder, 'spool-2'))).rejects.toThrow();
    expect(await new PatchSpool(join(folder, 'none')).read('x')).toEqual([]);
  });
});
