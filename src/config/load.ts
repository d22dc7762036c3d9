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
 * @throws StromaflowError USAGE, CONFIG_INVALID (unknown key or variable, wrong value, unreadable file; what is wrong is named)
 */
export async function loadConfig(
  flags: Readonly<Partial<Record<string, unknown>>>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<LoadedConfig> {
  const names = Object.keys(OPTIONS) as OptionName[];
  const variables = readEnvironment(names, environment);
  const path = (flags['config'] ?? variables.config) as string | undefined;
  const file = path === undefined ? {} : await readConfigFile(path);
  const settings = Object.fromEntries(
    names.map((name): [OptionName, Setting] => {
      const spec: OptionSpec = OPTIONS[name];
      const fromEnvironment = variables[name];
      if (flags[name] !== undefined) return [name, read(name, flags[name], `--${name}`)];
      if (fromEnvironment !== undefined) return [name, read(name, fromEnvironment, environmentName(name))];
      if (file[name] !== undefined) return [name, read(name, file[name], `${path}: ${name}`)];
      return [name, { value: spec.default, origin: 'default' }];
    }),
  ) as Record<OptionName, Setting>;
  const config = Object.fromEntries(names.map(name => [name, settings[name].value])) as unknown as Config;
  if ((config.margin ?? 0) * 2 >= (config['patch-size'] ?? Infinity)) {
    throw new StromaflowError(
      'CONFIG_INVALID',
      `margin ${config.margin} leaves nothing of a patch of ${config['patch-size']} px`,
    );
  }
  if (config.overlap !== undefined) checkOverlap(config.overlap, config);
  return { config, settings };
}

/** What is wrong whatever the size of the patches is. */
function checkOverlap(
  overlap: number,
  { margin, 'patch-size': patchSize, 'open-area': open, 'close-area': close }: Config,
): void {
  const invalid = (what: string, fix: string) =>
    new StromaflowError('CONFIG_INVALID', `overlap ${overlap}: ${what}`, { fix });
  if (open > 0 || close > 0)
    throw invalid(
      'masks that are blended are not opened or closed by area',
      'give --overlap, or --open-area and --close-area with a --margin',
    );
  if (margin !== undefined)
    throw invalid('margins are blended or cropped, not both', 'give --overlap or --margin, not both');
  if (overlap >= 1 && overlap % 32 !== 0)
    throw invalid(
      'from 1 on it is pixels, a multiple of 32',
      'give a part of a patch such as 0.25, or pixels such as 128',
    );
  if (overlap > 0.5 && overlap < 1)
    throw invalid(
      'more than half of a patch',
      'give 0.5 at most: with more, a pixel is seen over and over for nothing',
    );
  if (overlap >= 1 && overlap * 2 > (patchSize ?? Infinity))
    throw invalid(`more than half of a patch of ${patchSize} px`, 'give half at most, or a larger --patch-size');
}

const read = (name: OptionName, raw: unknown, origin: string): Setting => ({
  value: parseValue(name, raw, origin),
  origin,
});

function readEnvironment(
  names: readonly OptionName[],
  environment: NodeJS.ProcessEnv,
): Partial<Record<OptionName, string>> {
  const known = new Map(names.map(name => [environmentName(name), name]));
  const given = Object.entries(environment).filter(
    ([name, value]) => name.startsWith(PREFIX) && !isServiceLink(name, value),
  );
  const unknown = given.find(([name]) => !known.has(name))?.[0];
  if (unknown !== undefined) {
    throw new StromaflowError('CONFIG_INVALID', `${unknown}: the environment has no such option`, {
      fix: 'unset it, or spell it as stromaflow config does with underscores for dashes',
    });
  }
  return Object.fromEntries(given.map(([name, value]) => [known.get(name), value]));
}

const PREFIX = environmentName('');

/**
 * Kubernetes tells a pod of all services in its namespace, and of one called stromaflow by `STROMAFLOW_SERVICE_HOST`,
 * `STROMAFLOW_PORT=tcp://…`, `STROMAFLOW_PORT_9464_TCP_ADDR` and the like. They are not meant for us.
 */
const isServiceLink = (name: string, value = ''): boolean =>
  /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));

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
