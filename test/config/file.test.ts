import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '#src/config/load.js';
import { environmentName, OPTIONS, type OptionName, type OptionSpec } from '#src/config/options.js';
import { emptyFolder } from '../support/paths.js';

const folder = await emptyFolder();
async function fileWith(text: string, name = 'lab.yaml'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const names = Object.keys(OPTIONS).filter(name => name !== 'config') as OptionName[];
/** A value an option takes that is not its default. */
function another(name: OptionName): string | number | boolean {
  const { type, default: usual, min = 0, max = 1e6, choices = [], multipleOf = 1 }: OptionSpec = OPTIONS[name];
  if (type === 'boolean') return !usual;
  if (type === 'choice') return choices.find(choice => choice !== usual)!;
  if (type === 'string' || type === 'path') return 'some text';
  return usual === min ? Math.min(max, min + multipleOf) : min;
}

/** What is refused beside --overlap; see test/pipelines/overlap.test.ts. */
const EXCLUDED_BY_OVERLAP = ['margin', 'open-area', 'close-area'] as const;

describe('the config file', () => {
  it('can state any of the options, in YAML and in JSON, beside which the defaults stay', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray(names), fc.boolean(), async (chosen, json) => {
        fc.pre(!(chosen.includes('overlap') && EXCLUDED_BY_OVERLAP.some(name => chosen.includes(name))));
        const stated = Object.fromEntries(chosen.map(name => [name, another(name)]));
        const path = await fileWith(json ? JSON.stringify(stated) : stringify(stated));
        const { config, settings } = await loadConfig({ config: path }, {});
        for (const name of names) {
          const { default: usual }: OptionSpec = OPTIONS[name];
          expect(config[name]).toBe(chosen.includes(name) ? stated[name] : usual);
          expect(settings[name].origin).toBe(chosen.includes(name) ? `${path}: ${name}` : 'default');
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is found through the environment too; the flag goes before', async () => {
    const [one, other] = [await fileWith('batch: 8', 'one.yaml'), await fileWith('batch: 9', 'other.yaml')];
    const environment = { STROMAFLOW_CONFIG: one };
    expect((await loadConfig({}, environment)).config.batch).toBe(8);
    expect((await loadConfig({ config: other }, environment)).config.batch).toBe(9);
  });

  it('may be empty, or nothing but comments', async () => {
    for (const text of ['', '# nothing yet\n', '{}'])
      expect((await loadConfig({ config: await fileWith(text) }, {})).config.batch).toBe(OPTIONS.batch.default);
  });

  it.each(['toString', 'constructor', 'hasOwnProperty', '__proto__', 'Batch', 'batch_delay', ' batch'])(
    'does not know the option %j',
    async key => {
      const config = await fileWith(`${JSON.stringify(key)}: 3\n`);
      await expect(loadConfig({ config }, {})).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: `${config}: unknown option ${JSON.stringify(key)}`,
      });
    },
  );

  it.each([
    ['a text', 'just words', 'expected options as key: value'],
    ['a number', '7', 'expected options as key: value'],
    ['a key without value', 'batch:', 'batch: expected a whole number'],
    ['a key stated twice', 'batch: 1\nbatch: 2', 'not YAML or JSON'],
    ['a tab for indentation', 'labels:\n\tx: 1', 'not YAML or JSON'],
  ])('that holds %s is refused by name', async (_, text, message) => {
    const config = await fileWith(text);
    await expect(loadConfig({ config }, {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`${config}: ${message}`),
    });
  });

  it('cannot be a folder', async () => {
    await expect(loadConfig({ config: folder }, {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      cause: expect.objectContaining({ code: 'EISDIR' }),
    });
  });
});

describe('a margin', () => {
  it.each([
    [16, 64, true],
    [32, 64, false],
    [240, 512, true],
    [256, 512, false],
    [1024, undefined, true],
  ])('of %i px in patches of %s px: something is left: %s', async (margin, patch, fits) => {
    const loading = loadConfig({ margin, ...(patch && { 'patch-size': patch }) }, {});
    if (fits) expect((await loading).config.margin).toBe(margin);
    else await expect(loading).rejects.toThrow(`margin ${margin} leaves nothing of a patch of ${patch} px`);
  });
});

it('every option can be given through the environment, under its own name', async () => {
  for (const name of names) {
    const { config, settings } = await loadConfig({}, { [environmentName(name)]: String(another(name)) });
    expect(config[name]).toBe(another(name));
    expect(settings[name].origin).toBe(environmentName(name));
  }
});
