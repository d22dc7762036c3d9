import { expect, it } from 'vitest';
import { SLIDE } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';

interface Kills {
  readonly kills: number;
  readonly lost: number;
  readonly doubled: number;
}

type BenchKills = (options: { slide: string; n: number; seed: number; kinds: readonly string[] }) => Promise<Kills>;

// npm run bench -- kills has 100.
it.each([
  ['finished', THOROUGH ? 8 : 5],
  ['growing', THOROUGH ? 6 : 4],
] as const)(
  'loses nothing and counts nothing twice when it is killed at random moments of a %s slide',
  async (kind, n) => {
    const { benchKills } = (await import(new URL('../bench/kills.mjs', import.meta.url).href)) as {
      benchKills: BenchKills;
    };
    expect(await benchKills({ slide: SLIDE, n, seed: 7, kinds: [kind] })).toMatchObject({
      kills: n,
      lost: 0,
      doubled: 0,
    });
  },
);
