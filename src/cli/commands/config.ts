import type { Setting } from '../../config/load.js';
import { environmentName, OPTIONS, type OptionName, type OptionSpec } from '../../config/options.js';
import { parseNatsUrl } from '../../event/nats-connect.js';
import { withoutSecrets } from '../../slide/remote/address.js';
import { type Command, GENERAL } from '../command.js';

/** Shows what is in force and where it came from; what is wrong has been refused before it gets here. */
export const config: Command = {
  usage: 'config',
  summary: 'print every option, the value in force and where it comes from',
  options: (Object.keys(OPTIONS) as OptionName[]).filter(name => !GENERAL.includes(name)).concat(GENERAL),
  async run({ loaded, terminal }) {
    const names = Object.keys(OPTIONS) as OptionName[];
    for (const name of names) {
      const { value, origin } = shown(name, loaded.settings[name]);
      terminal.line(
        `${name.padEnd(20)} ${withUnit(name, value).padEnd(28)} ${origin.padEnd(12)} ${environmentName(name)}`,
      );
    }
    terminal.json(Object.fromEntries(names.map(name => [name, shown(name, loaded.settings[name])])));
    return 0;
  },
};

/** A number without its unit says little: '0.5 µm/px'. Of words and paths the unit is only what they name. */
function withUnit(name: OptionName, value: Setting['value']): string {
  const { unit }: OptionSpec = OPTIONS[name];
  return typeof value === 'number' && unit !== undefined ? `${value} ${unit}` : String(value ?? '—');
}

/** A URL may carry a password, the address of a slide a signature. */
function shown(name: OptionName, setting: Setting): Setting {
  if (typeof setting.value !== 'string') return setting;
  if (name !== 'nats') return { ...setting, value: withoutSecrets(setting.value) };
  return { ...setting, value: parseNatsUrl(setting.value).shown };
}
