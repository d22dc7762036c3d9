import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { StromaflowError } from '../errors.js';
import { type Config, environmentName, OPTIONS, type OptionName, type OptionSpec } from './options.js';
import { type OptionValue, parseValue } from './value.js';

/** An effective value and where it came from. */
export interface Setting {
  readonly value: OptionValue | undefined;
  readonly origin: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: Readonly<Record<OptionName, Setting>>;
}

/**
 * Flags > environment (`STROMAFLOW_…`) > config file > defaults.
 * @param flags what the command line gave, by option name
 * @throws StromaflowError USAGE, CONFIG_INVALID (unknown key, wrong value, unreadable file; the file and key are named)
 */
export async function loadConfig(
  flags: Readonly<Partial<Record<string, unknown>>>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<LoadedConfig> {
  const names = Object.keys(OPTIONS) as OptionName[];
  const path = (flags['config'] ?? environment[environmentName('config')]) as string | undefined;
  const file = path === undefined ? {} : await readConfigFile(path);
  const settings = Object.fromEntries(
    names.map((name): [OptionName, Setting] => {
      const spec: OptionSpec = OPTIONS[name];
      const fromEnvironment = environment[environmentName(name)];
      if (flags[name] !== undefined) return [name, read(name, flags[name], `--${name}`)];
      if (fromEnvironment !== undefined) return [name, read(name, fromEnvironment, environmentName(name))];
      if (file[name] !== undefined) return [name, read(name, file[name], `${path}: ${name}`)];
      return [name, { value: spec.default, origin: 'default' }];
    }),
  ) as Record<OptionName, Setting>;
  const config = Object.fromEntries(names.map(name => [name, settings[name].value])) as unknown as Config;
  if (config.margin * 2 >= (config['patch-size'] ?? Infinity)) {
    throw new StromaflowError(
      'CONFIG_INVALID',
      `margin ${config.margin} leaves nothing of a patch of ${config['patch-size']} px`,
    );
  }
  return { config, settings };
}

const read = (name: OptionName, raw: unknown, origin: string): Setting => ({
  value: parseValue(name, raw, origin),
  origin,
});

async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new StromaflowError('CONFIG_INVALID', `${path}: the config file cannot be read`, { cause });
  }
  let content: unknown;
  try {
    content = parseYaml(text) ?? {};
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new StromaflowError('CONFIG_INVALID', `${path}: not YAML or JSON: ${reason}`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new StromaflowError('CONFIG_INVALID', `${path}: expected options as key: value`);
  }
  const unknown = Object.keys(content).find(key => !Object.hasOwn(OPTIONS, key));
  if (unknown !== undefined) {
    throw new StromaflowError('CONFIG_INVALID', `${path}: unknown option ${JSON.stringify(unknown)}`);
  }
  return content as Record<string, unknown>;
}
