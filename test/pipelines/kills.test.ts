import { expect, it } from 'vitest';
import { SLIDE } from '../support/paths.js';

interface Kills {
  readonly kills: number;
  readonly lost: number;
  readonly doubled: number;
}

it('loses nothing and counts nothing twice when it is killed at random moments (npm run bench -- kills has 100)', async () => {
  const { benchKills } = (await import(new URL('../bench/kills.mjs', import.meta.url).href)) as {
    benchKills(options: { slide: string; n: number; seed: number }): Promise<Kills>;
  };
  expect(await benchKills({ slide: SLIDE, n: 8, seed: 7 })).toMatchObject({ kills: 8, lost: 0, doubled: 0 });
});
