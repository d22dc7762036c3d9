import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SlideResult } from '#pipelines/slide-result.js';
import { exitStatus, keepAreas, printResult } from '#src/cli/results.js';
import { StromaflowError } from '#src/errors.js';
import { AreasCsv } from '#src/store/areas-csv.js';
import { emptyFolder } from '../support/paths.js';
import { capture, type Written } from './capture.js';

let written: Written;
beforeEach(() => {
  written = capture();
});
afterEach(() => written.restore());

const id = 'S1';
const path = '/scans/S1.svs';
const completed = (failed: number, folder = join(process.cwd(), 'out', id)): SlideResult => {
  const patches = { expected: 30, segmented: 20, empty: 10 - failed, missing: 0, failed };
  const area = { stromaMm2: 0.12345, tissueMm2: 0.5, stromaFraction: 0.2469 };
  return { path, id, state: 'completed', summary: { area, patches, source: {} } as never, folder };
};
const failed: SlideResult = { path, id, state: 'failed', error: new StromaflowError('SLIDE_NO_MPP', 'no spacing') };
const interrupted: SlideResult = { path, id, state: 'interrupted', done: 4, expected: 30 };
const incomplete = { path, id, state: 'incomplete', reason: 'stalled', done: 4, expected: 30 } as const;

describe('what is said of a slide', () => {
  it('that is completed: areas, patches, and where its pictures are, seen from here', async () => {
    await printResult(completed(0), written.terminal);
    expect(written.lines).toEqual([
      'S1: stroma 0.123 mm² of 0.500 mm² tissue (24.7 %), 20 patches segmented, 10 without tissue',
      '  pictures and results: out/S1/  (overview.png, mask.geojson, mask.ome.zarr, summary.json)',
    ]);
    expect(written.values).toMatchObject([{ patches: { segmented: 20 } }]);
  });

  it('of which patches failed: that too', async () => {
    await printResult(completed(2), written.terminal);
    expect(written.lines[0]).toMatch(/20 patches segmented, 8 without tissue, 2 FAILED$/);
  });

  it.each(['/elsewhere/out/S1', process.cwd()])('whose results are not below: the whole path %s', async folder => {
    await printResult(completed(0, folder), written.terminal);
    expect(written.lines[1]).toContain(` ${folder}/ `);
  });

  it('that was done before: where, and for programs the summary that is there', async () => {
    const folder = await emptyFolder();
    const summary = { schema: 'stromaflow.summary.v1', slide: 'S1', revision: 1, updatedAt: '2026-01-01T00:00:00Z' };
    const stored = { ...summary, patches: {}, area: {}, plan: {}, timings: {} };
    await writeFile(join(folder, 'summary.json'), JSON.stringify(stored));
    await printResult({ path, id, state: 'done-before', folder }, written.terminal);
    expect(written.lines).toEqual([expect.stringMatching(/^S1: done before, see .*--fresh does it again/)]);
    expect(written.values).toEqual([stored]);
  });

  it.each([undefined, '', '{"slide":"S1"}'])(
    'that was done before and has no summary any more (%j): that too',
    async text => {
      const folder = await emptyFolder();
      if (text !== undefined) await writeFile(join(folder, 'summary.json'), text);
      const areas = new AreasCsv(folder);
      const result = { path, id, state: 'done-before', folder } as const;
      await printResult(result, written.terminal);
      expect(written.lines).toEqual([expect.stringMatching(/^S1: done before; its results are gone from .*--fresh/)]);
      expect(written.values).toEqual([{ slide: 'S1', state: 'done-before', results: 'gone' }]);
      expect(await keepAreas(areas, result, written.terminal)).toBe(true);
      expect(await readdir(folder)).toEqual(text === undefined ? [] : ['summary.json']);
    },
  );

  it('that was interrupted: how far it came', async () => {
    await printResult(interrupted, written.terminal);
    expect(written.lines).toEqual(['S1: interrupted after 4 of 30 patches; the same command goes on from there']);
    expect(written.values).toEqual([{ slide: 'S1', state: 'interrupted', done: 4, expected: 30 }]);
  });

  it.each([
    [{}, 'the file stopped growing'],
    [{ reason: 'replaced' }, 'the file was written anew'],
    [{ reason: 'gone' }, 'the file was deleted'],
    [{ lacks: 'level 0' }, 'lacks level 0'],
  ] as const)('that is incomplete %j: %s', async (change, why) => {
    await printResult({ ...incomplete, ...change }, written.terminal);
    expect(written.lines).toEqual([`S1: incomplete (${why}) after 4 of 30 patches; goes on when it changes`]);
    const facts = { slide: 'S1', state: 'incomplete', reason: 'stalled', done: 4, expected: 30 };
    expect(written.values).toEqual([{ ...facts, ...change }]);
  });

  it('that failed: on standard error with what to do, and for programs the same', async () => {
    await printResult(failed, written.terminal);
    expect(written.lines).toEqual([]);
    expect(written.errors).toEqual([
      expect.stringMatching(/^stromaflow: S1: no spacing \[SLIDE_NO_MPP\] .*--mpp.*\n$/),
    ]);
    expect(written.values).toEqual([
      {
        slide: 'S1',
        state: 'failed',
        error: { code: 'SLIDE_NO_MPP', message: 'no spacing', fix: expect.stringContaining('--mpp') },
      },
    ]);
  });
});

describe('the exit status', () => {
  const going = new AbortController().signal;

  it.each<[string, SlideResult[], number]>([
    ['nothing to do', [], 0],
    ['all well', [completed(0), { path, id, state: 'done-before', folder: '' }], 0],
    ['a slide that goes on later', [incomplete], 1],
    ['a slide that went on and was completed', [incomplete, completed(0)], 0],
    ['a slide that failed among others', [completed(0), { ...failed, id: 'S2' }, { ...completed(0), id: 'S3' }], 1],
    ['a patch that failed', [completed(1)], 1],
  ])('of %s', (_, results, status) => {
    expect(exitStatus(results, going)).toBe(status);
  });

  it('of an interrupted command is 130, whatever else happened', () => {
    expect(exitStatus([failed, interrupted], AbortSignal.abort())).toBe(130);
    expect(exitStatus([], AbortSignal.abort())).toBe(130);
  });
});
