import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';

interface Target {
  readonly name: string;
}

interface Finding {
  readonly kind: string;
  readonly where: string;
  readonly detail: string;
  readonly file: string;
  readonly bytes: number;
}

interface Result {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

type FuzzTarget = (
  target: Target,
  options: { n: number; seed: number; folder: string; tries?: number },
) => Promise<Result>;

const local = (name: string) => import(new URL(name, import.meta.url).href);
const { fuzzTarget } = (await local('fuzz.mjs')) as { fuzzTarget: FuzzTarget };
const { TARGETS, targetNamed } = (await local('targets/index.mjs')) as {
  TARGETS: readonly Target[];
  targetNamed: (name: string) => Target;
};

/** The long form is `npm run fuzz`. */
const SHORT = { n: 200, seed: 20_261_125 };

const folder = mkdtempSync(join(tmpdir(), 'stromaflow-findings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.concurrent('damaged input', () => {
  it.for(TARGETS.map(({ name }) => name))('%s: a typed error, in time, within its bound', async (name, { expect }) => {
    const { findings, outcomes } = await fuzzTarget(targetNamed(name), { ...SHORT, folder });
    expect(findings).toEqual([]);
    // The first inputs are sound, and something must be noticed of what was damaged.
    expect(outcomes['fine']).toBeGreaterThan(0);
    expect(Object.keys(outcomes).length).toBeGreaterThan(1);
  });
});

describe.concurrent('the fuzzer finds, confirms and minimises', () => {
  // Tries cost a process each where the input ends it.
  it.for([
    ['untyped', 400, 3],
    ['defect', 400, 3],
    ['allocation', 400, 3],
    ['stray', 400, 3],
    ['leak', 400, 5],
    ['memory', 0, 3],
    ['crash', 2, 3],
    ['hang', 0, 3],
  ] as const)('%s', async ([kind, tries, seed], { expect }) => {
    const { findings } = await fuzzTarget(targetNamed(`broken-${kind}`), {
      n: tries > 2 ? 200 : 60,
      seed,
      folder,
      tries,
    });
    expect(findings.map(finding => finding.kind)).toEqual([kind]);
    const { file, bytes } = findings[0]!;
    const kept = readFileSync(file);
    expect(kept).toHaveLength(bytes);
    expect(kept[8]).toBeGreaterThan(0x7f);
    if (tries === 400) expect(bytes).toBe(41);
  });
});
