import { loadConfig } from '../src/config/load.js';
import { type Config, OPTIONS } from '../src/config/options.js';
import { StromaflowError } from '../src/errors.js';

/**
 * A whole configuration out of what is to be other than the defaults. Names, units and ranges are those of docs/options.md; neither the environment nor a
 * config file is read.
 *
 * @throws USAGE, CONFIG_INVALID, naming the option and what is wrong with it
 */
export async function configure(options: Partial<Config> = {}): Promise<Config> {
  const unknown = Object.keys(options).find(name => !(name in OPTIONS));
  if (unknown !== undefined) throw new StromaflowError('CONFIG_INVALID', `there is no option ${unknown}`);
  return (await loadConfig(options, {})).config;
}
