import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reportNames, sharedPatches } from '#src/cli/replay-models.js';
import { loadConfig } from '#src/config/load.js';
import type { Model } from '#src/model/model.js';

const bundle = (name: string, spacing = 0.5, patchSize = 512): Model =>
  ({ name, version: '1', spacing, patchSize }) as Model;

describe('names of models in one report', () => {
  it('tell any models apart, in their order, and are no longer than they need to be', () => {
    const model = fc.record({ name: fc.constantFrom('a', 'b', 'c'), version: fc.constantFrom('1', '2') });
    fc.assert(
      fc.property(fc.array(model, { minLength: 1, maxLength: 6 }), models => {
        const names = reportNames(models);
        expect(new Set(names).size).toBe(models.length);
        for (const [i, { name }] of models.entries()) expect(names[i]!.startsWith(name)).toBe(true);
        const plain = new Set(models.map(({ name }) => name)).size === models.length;
        expect(names.every((name, i) => name === models[i]!.name)).toBe(plain);
      }),
    );
  });

  it('have the version where that is enough, else a number', () => {
    const [one, two] = [
      { name: 'a', version: '1' },
      { name: 'a', version: '2' },
    ];
    expect(reportNames([one, two])).toEqual(['a 1', 'a 2']);
    expect(reportNames([one, one, two])).toEqual(['a 1 (1)', 'a 1 (2)', 'a 2 (3)']);
  });
});

describe('the patches that compared models share', () => {
  const config = async (flags = {}) => (await loadConfig(flags, {})).config;

  it('are those of the first, unless it is said otherwise', async () => {
    const models = [bundle('a', 0.5, 256), bundle('b', 0.5, 512)];
    expect(sharedPatches(await config(), models)).toMatchObject({ spacing: 0.5, 'patch-size': 256 });
    const given = await config({ spacing: '0.25', 'patch-size': '128' });
    expect(sharedPatches(given, models)).toMatchObject({ spacing: 0.25, 'patch-size': 128 });
  });

  it('cannot be of two spacings, unless somebody says which', async () => {
    const models = [bundle('a'), bundle('b'), bundle('c', 1)];
    const usual = await config();
    await expect(async () => sharedPatches(usual, models)).rejects.toMatchObject({
      code: 'USAGE',
      message: 'c is made for 1 µm/px, the others for 0.5',
      fix: expect.stringContaining('--spacing'),
    });
    expect(sharedPatches(await config({ spacing: '1' }), models).spacing).toBe(1);
  });

  it('take spacings for one that differ by as little as a scanner’s do', async () => {
    expect(sharedPatches(await config(), [bundle('a', 0.5), bundle('b', 0.499)]).spacing).toBe(0.5);
  });
});
