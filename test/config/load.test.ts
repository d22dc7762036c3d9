import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#src/config/load.js';
import { environmentName, OPTIONS, type OptionName, type OptionSpec } from '#src/config/options.js';
import { parseValue } from '#src/config/value.js';
import { temporaryFolder } from '../support/temporary.js';

const fileWith = async (text: string): Promise<string> => {
  const path = join(temporaryFolder('config'), 'lab.yaml');
  await writeFile(path, text);
  return path;
};

describe('loadConfig', () => {
  it('takes flags over the environment over the file over the defaults', async () => {
    const config = await fileWith('batch: 8\nmargin: 32\nsite: lab one\n');
    const environment = { STROMAFLOW_BATCH: '16', STROMAFLOW_MARGIN: '64' };
    const loaded = await loadConfig({ config, batch: '32' }, environment);
    expect(loaded.config).toMatchObject({ batch: 32, margin: 64, site: 'lab one', 'batch-delay': 50 });
    expect(loaded.settings.batch.origin).toBe('--batch');
    expect(loaded.settings.margin.origin).toBe('STROMAFLOW_MARGIN');
    expect(loaded.settings.site.origin).toBe(`${config}: site`);
    expect(loaded.settings['batch-delay'].origin).toBe('default');
  });

  it.each([
    [{ batch: 'many' }, {}, 'USAGE', /--batch: expected a whole number of patches from 1 to 256, got "many"/],
    [{ batch: '0' }, {}, 'USAGE', /from 1 to 256/],
    [{ 'patch-size': '500' }, {}, 'USAGE', /multiple of 32/],
    [{}, { STROMAFLOW_PORT: '70000' }, 'CONFIG_INVALID', /STROMAFLOW_PORT/],
    [{}, { STROMAFLOW_MPP: '' }, 'CONFIG_INVALID', /STROMAFLOW_MPP: expected a number of µm\/px/],
    [{}, { STROMAFLOW_BACH: '8' }, 'CONFIG_INVALID', /^STROMAFLOW_BACH: the environment has no such option/],
    [{ batch: '4' }, { STROMAFLOW_: '8' }, 'CONFIG_INVALID', /^STROMAFLOW_: the environment has no such option/],
    [{}, { STROMAFLOW_PORT: 'udp' }, 'CONFIG_INVALID', /STROMAFLOW_PORT: expected a whole number/],
    [{ config: '/nowhere/lab.yaml' }, {}, 'CONFIG_INVALID', /cannot be read/],
    [{ margin: '256', 'patch-size': '512' }, {}, 'CONFIG_INVALID', /leaves nothing/],
  ])('refuses %j %j', async (flags, environment, code, message) => {
    const loading = loadConfig(flags, environment);
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each([
    ['bach: 3\n', /unknown option "bach"/],
    ['batch: [1]\n', /lab.yaml: batch: expected a whole number/],
    ['- batch\n', /expected options as key: value/],
    ['batch: "unclosed\n', /not YAML or JSON/],
  ])('names the file and the key in %j', async (text, message) => {
    const config = await fileWith(text);
    await expect(loadConfig({ config }, {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('takes no notice of what Kubernetes says of services called stromaflow and stromaflow-nats, nor of other programs’', async () => {
    const links = {
      STROMAFLOW_SERVICE_HOST: '10.96.0.7',
      STROMAFLOW_SERVICE_PORT: '9464',
      STROMAFLOW_SERVICE_PORT_HTTP: '9464',
      STROMAFLOW_PORT: 'tcp://10.96.0.7:9464',
      STROMAFLOW_PORT_9464_TCP: 'tcp://10.96.0.7:9464',
      STROMAFLOW_PORT_9464_TCP_PROTO: 'tcp',
      STROMAFLOW_PORT_9464_TCP_PORT: '9464',
      STROMAFLOW_PORT_9464_TCP_ADDR: '10.96.0.7',
      STROMAFLOW_NATS_SERVICE_HOST: '10.96.0.8',
      STROMAFLOW_NATS_PORT: 'tcp://10.96.0.8:4222',
    };
    const { settings } = await loadConfig({}, { ...links, MY_STROMAFLOW_BACH: '8', stromaflow_bach: '8' });
    expect(Object.values(settings).map(({ origin }) => origin)).toEqual(Object.keys(OPTIONS).map(() => 'default'));
  });

  it('has a default that its own rule accepts for every option, and an environment name of its own', () => {
    const names = Object.keys(OPTIONS) as OptionName[];
    for (const name of names) {
      const spec: OptionSpec = OPTIONS[name];
      if (spec.default !== undefined) expect(parseValue(name, spec.default, name)).toBe(spec.default);
      if (spec.type === 'integer' || spec.type === 'number') expect(spec.unit, `${name} has a unit`).toBeTruthy();
    }
    expect(new Set(names.map(environmentName)).size).toBe(names.length);
  });

  it('either takes a value within its range or refuses it with a code, whatever is given', () => {
    const names = fc.constantFrom(...(Object.keys(OPTIONS) as OptionName[]));
    fc.assert(
      fc.property(
        names,
        fc.oneof(fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
        (name, raw) => {
          const spec: OptionSpec = OPTIONS[name];
          try {
            const value = parseValue(name, raw, `--${name}`);
            if (typeof value === 'number') {
              expect(value).toBeGreaterThanOrEqual(spec.min ?? -Infinity);
              expect(value).toBeLessThanOrEqual(spec.max ?? Infinity);
            }
          } catch (error) {
            expect(error).toMatchObject({ code: 'USAGE' });
          }
        },
      ),
    );
  });
});
