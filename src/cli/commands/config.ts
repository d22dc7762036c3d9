import type { Setting } from '../../config/load.js';
import { environmentName, OPTIONS, type OptionName } from '../../config/options.js';
import { parseNatsUrl } from '../../event/nats-connect.js';
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
        `${name.padEnd(20)} ${String(value ?? '—').padEnd(28)} ${origin.padEnd(12)} ${environmentName(name)}`,
      );
    }
    terminal.json(Object.fromEntries(names.map(name => [name, shown(name, loaded.settings[name])])));
    return 0;
  },
};

/** A URL may carry a password. */
function shown(name: OptionName, setting: Setting): Setting {
  if (name !== 'nats' || typeof setting.value !== 'string') return setting;
  return { ...setting, value: parseNatsUrl(setting.value).shown };
}
