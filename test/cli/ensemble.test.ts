import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SlideSummary } from '#src/store/summary.js';
import { runCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const FEW = ['--spacing', '4', '--patch-size', '256', '--engine', 'cpu', '--threads', '1', '--isolation', 'thread'];
let one: string;
let other: string;
let cache: { XDG_CACHE_HOME: string };
beforeAll(async () => {
  one = await makeBundle({ config: SMALL, manifest: { name: 'one', threshold: 0.4, patchSize: 256 } });
  other = await makeBundle({
    config: SMALL,
    manifest: { name: 'other', threshold: 0.6, patchSize: 256, notice: 'Look twice.' },
  });
  cache = { XDG_CACHE_HOME: await emptyFolder() };
});

describe('segment with an ensemble and views', () => {
  it('makes one mask under one name, and says what it is of', async () => {
    const out = await emptyFolder();
    const args = ['segment', SLIDE, '--model', `${one},${other}`, '--tta', 'flips', '--overlap', '0.25', '--out', out];
    const { status, stdout, stderr } = await runCli([...args, ...FEW], cache);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^engine .*, one \+ other ensemble-of-2\+[0-9a-f]{8}\.flips$/m);
    const folder = join(out, 'CMU-1-Small-Region');
    const summary = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8')) as SlideSummary;
    expect(summary).toMatchObject({
      model: expect.stringMatching(/^one \+ other@ensemble-of-2\+[0-9a-f]{8}\.flips$/),
      threshold: 0.5,
      tta: 'flips',
      members: [
        { name: 'one', threshold: 0.4 },
        { name: 'other', threshold: 0.6 },
      ],
      plan: { overlap: 64, margin: 32 },
      patches: { failed: 0 },
    });
    expect(summary.notes).toContainEqual({ code: 'model-notice', message: 'Look twice.' });
  });

  it('is compared with its members, and views with none, in one report', async () => {
    const out = await emptyFolder();
    const labels = join(out, 'truth.geojson');
    const { writeFile } = await import('node:fs/promises');
    const square = [
      [200, 200],
      [1800, 200],
      [1800, 2400],
      [200, 2400],
      [200, 200],
    ];
    const feature = {
      type: 'Feature',
      geometry: { type: 'Polygon', coordinates: [square] },
      properties: { classification: { name: 'stroma' } },
    };
    await writeFile(labels, JSON.stringify({ type: 'FeatureCollection', features: [feature] }));
    const args = [
      'replay',
      SLIDE,
      '--labels',
      labels,
      '--positive',
      'stroma',
      '--model',
      `${one},${other}`,
      '--tta',
      'd4',
    ];
    const { status, stderr } = await runCli(
      [...args, '--compare', `${one}#plain,${one}+${other}#plain`, '--out', out, ...FEW],
      cache,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { models } = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as {
      models: Record<string, unknown>[];
    };
    expect(
      models.map(({ name, tta, threshold, members }) => ({
        name,
        tta,
        threshold,
        many: (members as unknown[])?.length,
      })),
    ).toEqual([
      { name: 'one + other, d4', tta: 'd4', threshold: 0.5, many: 2 },
      { name: 'one', tta: undefined, threshold: 0.4, many: undefined },
      { name: 'one + other', tta: undefined, threshold: 0.5, many: 2 },
    ]);
  });
});

describe('refused before anything is read', () => {
  it.each([
    [
      'a model twice',
      () => ['--model', `${one},${one}`],
      /one 1\.0\.0\+\w+ is in the ensemble twice \[CONFIG_INVALID\]/,
    ],
    [
      'other spacings',
      async () => [
        '--model',
        `${one},${await makeBundle({ config: SMALL, manifest: { name: 'coarse', spacing: 1, patchSize: 256 } })}`,
      ],
      /is made for \S+ µm\/px, \w+ for \S+ \[CONFIG_INVALID\] state with --spacing/,
    ],
    [
      'other patch sizes',
      async () => [
        '--model',
        `${one},${await makeBundle({ config: SMALL, manifest: { name: 'small', patchSize: 64 } })}`,
      ],
      /is made for patches of \d+ px, \w+ of \d+ \[CONFIG_INVALID\] state with --patch-size/,
    ],
    [
      'norms fitted to an ensemble',
      () => ['--model', `${one},${other}`, '--fit-norm', 'slide'],
      /--fit-norm fits one model, and this is an ensemble \[MODEL_UNSUPPORTED\]/,
    ],
    ['views that do not exist', () => ['--tta', 'd8'], /expected one of flips, d4/],
    ['an overlap and a margin', () => ['--overlap', '0.25', '--margin', '32'], /not both \[CONFIG_INVALID\]/],
    [
      'an overlap and areas',
      () => ['--overlap', '0.25', '--open-area', '10'],
      /not opened or closed by area \[CONFIG_INVALID\]/,
    ],
  ])('%s', async (_, options, message) => {
    const run = await runCli(
      ['segment', SLIDE, '--engine', 'cpu', ...(await options()), '--out', await emptyFolder()],
      cache,
    );
    expect(run.status).toBeGreaterThan(0);
    expect(run.stderr).toMatch(message);
  });
});
